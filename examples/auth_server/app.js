// `send` and `forget` are those of `cookies.js`, or with `DPOP=1` those of `dpop.js`.
import { forget, send } from "/session.js";

const element = (id) => document.getElementById(id);
const others = new BroadcastChannel("sessions");
let timer;
// Counts what the page has shown, so that an answer that comes late is not shown any more.
let turn = 0;

function say(text) {
  element("problem").textContent = "";
  element("note").textContent = text;
  for (const field of [element("email"), element("password")]) {
    field.removeAttribute("aria-invalid");
  }
}

// Says what went wrong, marks the fields that it is about, and goes to the last of them: the
// password, which is typed again.
function complain(text, ...fields) {
  say("");
  element("problem").textContent = text;
  for (const field of fields) field.setAttribute("aria-invalid", "true");
  fields.at(-1)?.focus();
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
  const wait = Number(response.headers.get("retry-after"));
  const again = wait ? `, try again in ${duration(wait)}` : "";
  const detail = body.detail ?? "that did not work";
  return `${detail[0].toUpperCase()}${detail.slice(1)}${again}.`;
}

function duration(seconds) {
  if (seconds < 60) return seconds === 1 ? "a second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "a minute" : `${minutes} minutes`;
}

// Shows an address so that a line breaks before its `@` and its dots, and in no word.
function showAddress(heading, address) {
  const parts = address.split(/(?=[@.])/);
  heading.replaceChildren(...parts.flatMap((part) => [document.createElement("wbr"), part]));
  heading.title = address;
}

// Tells the password manager whether the password is a new one.
function choose(action) {
  const registers = action === "register";
  element("guest-title").textContent = registers ? "Register" : "Log in";
  element("password").autocomplete = registers ? "new-password" : "current-password";
}

function showGuest() {
  turn += 1;
  clearTimeout(timer);
  element("user").hidden = true;
  element("user-title").textContent = "";
  element("user-title").removeAttribute("title");
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
    complain(await problem(list));
    return;
  }
  const [user, sessions] = [await me.json(), await list.json()];
  if (mine !== turn) return;
  element("guest").hidden = true;
  element("user").hidden = false;
  showAddress(element("user-title"), user.email);
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
      if (response.ok) say("The session has ended.");
      else complain(await problem(response));
      await show();
      // Its button is gone.
      element(element("user").hidden ? "guest-title" : "sessions-title").focus();
    }));
    item.append(end);
  }
  return item;
}

async function attempt(work) {
  try {
    await work();
  } catch {
    complain("The server cannot be reached.");
  }
}

async function busy(button, work) {
  const focused = document.activeElement === button;
  button.disabled = true;
  await attempt(work);
  button.disabled = false;
  // A button that is disabled loses the focus.
  if (focused && document.activeElement === document.body) button.focus();
}

async function leave(path) {
  // The route that ends all sessions needs an access token that is good.
  const response = await ask("POST", path);
  if (!response.ok && response.status !== 401) {
    complain(await problem(response));
    return;
  }
  await forget();
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
      // A wrong email and a wrong password are told apart by nobody.
      const fields = [401, 422].includes(response.status) ? ["email", "password"] : [];
      complain(await problem(response), ...fields.map(element));
    } else if (action === "register") {
      choose("login");
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

for (const button of element("form").querySelectorAll("button")) {
  button.addEventListener("click", () => choose(button.value));
}
for (const field of [element("email"), element("password")]) {
  field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
}

element("logout").addEventListener("click", (event) => {
  busy(event.target, () => leave("/auth/logout"));
});
element("logout-all").addEventListener("click", () => {
  element("confirm").returnValue = "no";
  element("confirm").showModal();
});
element("confirm").addEventListener("close", () => {
  if (element("confirm").returnValue !== "yes") return;
  busy(element("logout-all"), () => leave("/auth/logout-all"));
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
