// The page never sees a token: the browser keeps them in cookies that no script can read.

const element = (id) => document.getElementById(id);
const others = new BroadcastChannel("sessions");
let timer;
// Counts what the page has shown, so that an answer that comes late is not shown any more.
let turn = 0;

function say(text) {
  element("status").textContent = text;
}

function send(method, path, body) {
  const request = { method, cache: "no-store" };
  if (body) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body);
  }
  return fetch(path, request);
}

// One refresh at a time, in all tabs of this browser.
let refreshing;
function refresh() {
  const locked = (work) =>
    navigator.locks ? navigator.locks.request("refresh", work) : work();
  refreshing ??= locked(() => send("POST", "/auth/refresh")).finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

// Asks again, once, if the access token is over.
async function ask(method, path, body) {
  const response = await send(method, path, body);
  if (response.status !== 401) return response;
  const refreshed = await refresh();
  if (refreshed.ok) return send(method, path, body);
  // Whether anybody is logged in, only a 401 tells.
  return refreshed.status === 401 ? response : refreshed;
}

async function problem(response) {
  const body = await response.json().catch(() => ({}));
  const wait = response.headers.get("retry-after");
  const again = wait ? `, try again in ${wait} s` : "";
  return `${body.detail ?? "That did not work"}${again}.`;
}

function showGuest() {
  turn += 1;
  clearTimeout(timer);
  element("user").hidden = true;
  element("user-title").textContent = "";
  element("sessions").replaceChildren();
  element("guest").hidden = false;
}

async function show() {
  const mine = (turn += 1);
  const me = await ask("GET", "/me");
  const list = me.ok ? await ask("GET", "/auth/sessions") : me;
  if (mine !== turn) return;
  if (me.status === 401 || list.status === 401) return showGuest();
  if (!list.ok) {
    say(await problem(list));
    return;
  }
  const [user, sessions] = [await me.json(), await list.json()];
  if (mine !== turn) return;
  element("guest").hidden = true;
  element("user").hidden = false;
  element("user-title").textContent = user.email;
  element("sessions").replaceChildren(...sessions.map(row));
  // A while before it is over. A timer may be late, and then the next 401 does it.
  clearTimeout(timer);
  const early = Math.min(30, user.expires_in / 5);
  timer = setTimeout(renew, (user.expires_in - early) * 1000);
}

async function renew() {
  // A page that nobody looks at does not keep the session alive.
  if (document.visibilityState !== "visible") return;
  await attempt(async () => {
    const response = await refresh();
    if (response.ok || response.status === 401) await show();
    else timer = setTimeout(renew, 5000);
  });
}

function row(session) {
  const when = (seconds) =>
    new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const item = document.createElement("li");
  const text = document.createElement("div");
  const name = document.createElement("strong");
  const time = document.createElement("small");
  name.textContent = session.label ?? "Unknown client";
  time.textContent = session.current ? "This browser" : `Last seen ${when(session.refreshed_at)}`;
  text.append(name, time);
  item.append(text);
  if (!session.current) {
    const end = document.createElement("button");
    end.className = "quiet";
    end.textContent = "End";
    end.setAttribute("aria-label", `End ${name.textContent}, ${time.textContent}`);
    end.addEventListener("click", () => busy(end, async () => {
      const response = await ask("DELETE", `/auth/sessions/${encodeURIComponent(session.id)}`);
      say(response.ok ? "The session has ended." : await problem(response));
      await show();
    }));
    item.append(end);
  }
  return item;
}

async function attempt(work) {
  try {
    await work();
  } catch {
    say("The server cannot be reached.");
  }
}

async function busy(button, work) {
  button.disabled = true;
  await attempt(work);
  button.disabled = false;
}

async function leave(path) {
  // The route that ends all sessions needs an access token that is good.
  const response = await ask("POST", path);
  if (!response.ok && response.status !== 401) {
    say(await problem(response));
    return;
  }
  showGuest();
  const others_go_on = !response.ok && path === "/auth/logout-all";
  say(others_go_on ? "Log in again to end the other sessions." : "You are logged out.");
  element("guest-title").focus();
  others.postMessage("changed");
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const action = event.submitter?.value ?? "login";
  const [email, password] = [element("email").value, element("password").value];
  busy(event.submitter ?? event.target, async () => {
    const response = await send("POST", `/auth/${action}`, { email, password });
    if (!response.ok) {
      say(await problem(response));
    } else if (action === "register") {
      say("You can log in now.");
    } else {
      event.target.reset();
      say("");
      await show();
      element("user-title").focus();
      others.postMessage("changed");
    }
  });
});

element("logout").addEventListener("click", (event) => {
  busy(event.target, () => leave("/auth/logout"));
});
element("logout-all").addEventListener("click", (event) => {
  busy(event.target, () => leave("/auth/logout-all"));
});

// Another tab has logged in or out.
others.addEventListener("message", () => attempt(show));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") attempt(show);
});
// A page that comes back from the browser's memory may be of a user who has left.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    element("user").hidden = true;
    attempt(show);
  }
});

attempt(show);
