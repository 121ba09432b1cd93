"""An API that checks the provider's access tokens by itself: signature by JWKS, no shared secret, no call a request."""
