//! Chromium, by way of chromedriver.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WebElement};
use tokio::net::TcpListener;

/// A driver, and all its browsers, until it is dropped.
pub(super) struct Chromium {
    driver: Child,
    port: u16,
    sessions: Arc<Mutex<Vec<String>>>,
}

/// A browser of its own, with its own cookies.
pub(super) struct Browser {
    pub(super) driver: WebDriver,
}

impl Chromium {
    pub(super) fn start() -> Self {
        // It takes a free port of IPv4, and ends if another process has that of IPv6.
        (0..3).find_map(|_| Self::try_start()).expect("chromedriver does not start")
    }

    /// None if it ends before it listens.
    fn try_start() -> Option<Self> {
        let path = env::var_os("CHROMEDRIVER").expect("CHROMEDRIVER: the path of chromedriver");
        let mut command = Command::new(path);
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = command.spawn().unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.ok()?;
            let port = line.split_once("successfully on port ")?.1;
            port.trim_end_matches('.').parse().ok()
        });
        let Some(port) = port else {
            driver.wait().unwrap();
            return None;
        };
        // What else it says has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { port, driver, sessions: Arc::default() })
    }

    pub(super) async fn browser(&self) -> Browser {
        let mut wanted = DesiredCapabilities::chrome();
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            "--window-size=1000,800",
            "--lang=en",
        ] {
            wanted.add_arg(argument).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{}", self.port), wanted);
        let driver = driver.await.expect("chromium, which chromedriver is to find");
        self.sessions.lock().unwrap().push(driver.session_id().to_string());
        Browser { driver }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // A driver that is killed leaves its browsers behind.
        for id in self.sessions.lock().unwrap().drain(..) {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                let _ = write!(
                    stream,
                    "DELETE /session/{id} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                );
                let _ = BufReader::new(stream).read_line(&mut String::new());
            }
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    pub(super) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(super) async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    pub(super) async fn source(&self) -> String {
        self.driver.source().await.unwrap()
    }

    /// Runs a script, and waits for what it returns.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::<Value>::new()).await.unwrap().json().clone()
    }

    async fn find(&self, selector: &str) -> WebElement {
        self.driver.find(By::Css(selector)).await.unwrap()
    }

    pub(super) async fn count(&self, selector: &str) -> usize {
        self.driver.find_all(By::Css(selector)).await.unwrap().len()
    }

    pub(super) async fn shows(&self, id: &str) -> bool {
        let script = format!("return document.getElementById('{id}')?.hidden === false");
        self.run(&script).await == true
    }

    pub(super) async fn text(&self, id: &str) -> String {
        self.text_of(&format!("#{id}")).await
    }

    pub(super) async fn text_of(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    pub(super) async fn fill(&self, id: &str, text: &str) {
        self.find(&format!("#{id}")).await.send_keys(text).await.unwrap();
    }

    pub(super) async fn click(&self, selector: &str) {
        // The page may put another element in the place of the one that was found.
        let clicked = async || match self.driver.find(By::Css(selector)).await {
            Ok(element) => element.click().await.is_ok(),
            Err(_) => false,
        };
        until(selector, clicked).await;
    }

    async fn command(&self, name: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(name, parameters).await.unwrap()
    }

    /// All cookies of the browser, by name, also those that no script can read.
    pub(super) async fn cookies(&self) -> Vec<Value> {
        let all = self.command("Network.getAllCookies", json!({})).await;
        let mut all = all["cookies"].as_array().unwrap().clone();
        all.sort_by_key(|cookie| cookie["name"].as_str().map(str::to_owned));
        all
    }

    /// Puts cookies of another browser into this one.
    pub(super) async fn set_cookies(&self, cookies: &[Value]) {
        let taken =
            ["name", "value", "domain", "path", "secure", "httpOnly", "sameSite", "expires"];
        let cookies: Vec<_> = cookies
            .iter()
            .map(|cookie| {
                taken.map(|name| (name, cookie[name].clone())).into_iter().collect::<Value>()
            })
            .collect();
        self.command("Network.setCookies", json!({"cookies": cookies})).await;
    }

    pub(super) async fn phone(&self) {
        let size = json!({"width": 360, "height": 720, "deviceScaleFactor": 2, "mobile": true});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub(super) async fn dark(&self) {
        let dark = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
        self.command("Emulation.setEmulatedMedia", json!({"features": dark})).await;
    }
}

/// Keeps a picture of the page, in the folder SCREENSHOTS.
pub(super) async fn screenshot(browser: &Browser, name: &str) {
    let folder = env::var_os("SCREENSHOTS")
        .map_or_else(|| env::temp_dir().join("auth-server-screenshots"), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    browser.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
}

pub(super) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not come: {what}");
}

/// A page of another origin, with forms for this application; gives its port.
pub(super) async fn foreign(app: &str) -> u16 {
    let mut page = String::from("<!DOCTYPE html><title>foreign</title>");
    for path in ["/auth/logout", "/auth/logout-all", "/auth/refresh"] {
        page += &format!(r#"<form method="post" action="{app}{path}"></form>"#);
    }
    page += &format!(
        r#"<form id="login" method="post" action="{app}/auth/login">
             <input name="email" value="ada@example.com">
             <input name="password" value="correct horse">
           </form>
           <form id="login-json" method="post" enctype="text/plain" action="{app}/auth/login">
             <input name='{{"email":"ada@example.com","password":"correct horse","x":"'
               value='"}}'>
           </form>"#
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().route("/", get(async move || Html(page)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}
