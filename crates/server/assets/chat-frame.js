"use strict";
/* In the chat's frame: the chat is told to ask again once somebody is signed in. In a window of its own: the frame is told, and the window closes. */
(() => {
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("propusk-chat") : null;
  const place = document.querySelector("[data-chat]");
  const ask = () => parent.postMessage({ event: "try-iframe-login" }, place.dataset.chat);
  const signedIn = place.id === "chat-signed-in";
  if (window !== parent) {
    if (signedIn) ask();
    if (channel) channel.onmessage = ask;
  } else if (signedIn) {
    if (channel) channel.postMessage("signed-in");
    window.close();
  }
})();
