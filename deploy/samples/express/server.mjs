// An API that takes Propusk's access tokens: Express and jose, no shared secret.
//
//   npm install && ISSUER=https://id.example.org AUDIENCE=https://api.example.org node server.mjs
//
// Anyone reads, whoever has the scope posts.write posts. What is refused says why in WWW-Authenticate (RFC 6750 §3).
import express from "express";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const issuer = required("ISSUER");
// Give the API an audience of its own: propusk client set ID --audience https://api.example.org
const audience = process.env.AUDIENCE ?? issuer;
// Kept in memory; an unknown key id makes it look again, at most every half minute.
const keys = createRemoteJWKSet(new URL(`${issuer}/oauth/jwks`));

const app = express();
app.disable("x-powered-by");
app.use(express.json({ limit: "64kb" }));

const posts = [{ id: 1, text: "Hello" }];

app.get("/posts", (request, response) => response.json(posts));

app.get("/me", authenticated, (request, response) => {
  response.json({ sub: request.token.sub, client_id: request.token.client_id, scope: request.token.scope });
});

app.post("/posts", authenticated, scope("posts.write"), (request, response) => {
  const post = { id: posts.length + 1, text: String(request.body?.text ?? ""), by: request.token.sub };
  posts.push(post);
  response.status(201).json(post);
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

// Who calls? request.token holds the claims.
async function authenticated(request, response, next) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) return challenge(response, 401);
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      // An ID token is no access token (RFC 9068 §4), and neither "none" nor a shared secret signs one.
      typ: "at+jwt",
      algorithms: ["RS256", "ES256", "EdDSA"],
      requiredClaims: ["exp", "sub", "client_id"],
      clockTolerance: 10,
    });
    request.token = payload;
  } catch (error) {
    const keysUnreachable = error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError);
    // An outage of the service is not the caller's mistake.
    if (keysUnreachable) return response.status(503).json({ error: "temporarily_unavailable" });
    return challenge(response, 401, "invalid_token");
  }
  next();
}

// The token's scope has to hold this word.
function scope(wanted) {
  return (request, response, next) => {
    const scopes = (request.token.scope ?? "").split(" ");
    if (!scopes.includes(wanted)) return challenge(response, 403, "insufficient_scope", `, scope="${wanted}"`);
    next();
  };
}

function challenge(response, status, error, more = "") {
  const reason = error ? ` error="${error}"${more}` : "";
  response.set("www-authenticate", `Bearer${reason}`).status(status).json({ error: error ?? "unauthorized" });
}

function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
}
