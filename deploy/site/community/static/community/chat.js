"use strict";
/* The chat in its frame: one call a channel switch; when nothing shows after a while, the page says which header keeps it out. */
(() => {
  const chat = document.getElementById("chat");
  const frame = document.getElementById("chat-frame");
  const empty = document.getElementById("chat-empty");
  const links = [...document.querySelectorAll(".channel")];
  const patience = Number(chat.dataset.patience);
  let turn = 0;
  let timer;

  const ask = async (address, channel) => {
    try {
      const answer = await fetch(`${address}?channel=${encodeURIComponent(channel)}`, { headers: { accept: "application/json" } });
      return { ok: answer.ok, ...(await answer.json()) };
    } catch {
      return { ok: false, message: chat.dataset.offline };
    }
  };

  const say = ({ message, header = "", setting = "" }) => {
    const fill = (id, text) => {
      document.getElementById(id).textContent = text;
      document.getElementById(`${id}-row`).hidden = !text;
    };
    document.getElementById("chat-message").textContent = message;
    fill("chat-header", header);
    fill("chat-setting", setting);
    empty.hidden = false;
  };

  /* A page of another origin cannot be looked into, a refused one neither: the site's server reads the headers. */
  const judge = async (channel, mine) => {
    const found = await ask(chat.dataset.headers, channel);
    if (mine === turn && found.message) {
      frame.hidden = true;
      say(found);
    }
  };

  const show = async (channel) => {
    turn += 1;
    const mine = turn;
    clearTimeout(timer);
    empty.hidden = true;
    frame.hidden = false;
    for (const link of links) {
      const current = link.dataset.channel === channel;
      if (current) {
        link.setAttribute("aria-current", "page");
        document.getElementById("open-directly").href = link.dataset.link;
        document.getElementById("chat-empty-open").href = link.dataset.link;
      } else {
        link.removeAttribute("aria-current");
      }
    }
    const found = await ask(chat.dataset.open, channel);
    if (mine !== turn) return;
    if (!found.ok) {
      frame.hidden = true;
      say(found);
      return;
    }
    /* Replaced, so that the browser’s way back leads through the channels once, not twice. */
    frame.contentWindow.location.replace(found.url);
    timer = setTimeout(() => judge(channel, mine), patience);
  };

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState(null, "", link.href);
      show(link.dataset.channel);
    });
  }
  addEventListener("popstate", () => show(new URL(location.href).searchParams.get("channel") || chat.dataset.channel));
  show(chat.dataset.channel);
})();
