// The access token is in this variable and nowhere else: a reload forgets it.
let token;

const api = document.querySelector("meta[name=api]").content;
const element = (id) => document.getElementById(id);

// `Authorization` and JSON cause a preflight. The browser keeps its answer for the time that the
// API sets, unless `cache` is "no-store" here: Chromium then sends one for every request.
async function send(method, path, { bearer, body } = {}) {
  const headers = {};
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(api + path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    credentials: "omit",
  });
  return { response, text: await response.text() };
}

function show(status, challenge, id, body) {
  element("status").textContent = status;
  element("challenge").textContent = challenge ?? "none";
  element("request-id").textContent = id ?? "none";
  element("body").textContent = body;
}

// Shows an answer. The headers are readable because the API exposes them.
async function answer(request) {
  try {
    const { response, text } = await request;
    const header = (name) => response.headers.get(name);
    show(response.status, header("www-authenticate"), header("x-request-id"), text);
    return { status: response.status, text };
  } catch {
    // The browser does not tell scripts which of the two it is.
    show("no answer: the API is down, or does not allow this origin");
    return {};
  }
}

function logIn(name, accessToken) {
  token = accessToken;
  element("name").textContent = name;
  element("guest").hidden = Boolean(token);
  element("user").hidden = !token;
}

async function ask(path) {
  const { status } = await answer(send("GET", path, { bearer: token }));
  // The token has expired, or was revoked.
  if (status === 401) logIn();
}

element("guest").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [username, password] = [element("username").value, element("password").value];
  const request = send("POST", "/login", { body: { username, password } });
  const { status, text } = await answer(request);
  if (status !== 200) return;
  event.target.reset();
  // The token is not shown.
  element("body").textContent = "";
  logIn(username, JSON.parse(text).access_token);
});

element("logout").addEventListener("click", () => logIn());
element("me").addEventListener("click", () => ask("/me"));
element("reports").addEventListener("click", () => ask("/reports"));
element("nothing").addEventListener("click", () => answer(send("GET", "/me")));
element("changed").addEventListener("click", () => {
  const [head, payload, signature] = token.split(".");
  const changed = [head, payload, [...signature].reverse().join("")].join(".");
  answer(send("GET", "/me", { bearer: changed }));
});
