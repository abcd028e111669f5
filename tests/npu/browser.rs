//! A headless Chromium that a test clicks through, by the DevTools protocol over a pair of pipes
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::root;

pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    sent: u64,
    /// What went wrong in the page, and what it asked the network for.
    pub complaints: Vec<String>,
    loaded: bool,
    _folder: tempfile::TempDir,
}

/// A browser: `AUTONEURAL_CHROMIUM`, one in the search path, or the one that `make test` installs.
fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("AUTONEURAL_CHROMIUM") {
        return Some(given.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.chain([root(".vendor/browser/chromium")]).find(|path| path.is_file())
}

impl Browser {
    /// Starts one; `None` if this machine has none, which is said.
    pub fn start() -> Option<Self> {
        let Some(program) = find() else {
            eprintln!("skipped: this part needs Chromium, which tools/install_browser.py installs");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().expect("mkfifo starts").success());
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let child = Command::new("sh")
            .args(["-c", "to=$1 from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"", "sh"])
            .args([&to, &from])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-sync",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"])
            .arg(profile)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let to = File::options().write(true).open(to).expect("the pipe opens");
        let from = BufReader::new(File::open(from).expect("the pipe opens"));
        let mut made =
            Browser { child, to, from, session: None, sent: 0, complaints: vec![], loaded: false, _folder: folder };
        let target = made.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let session = made.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        made.session = session["sessionId"].as_str().map(str::to_string);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            made.call(&format!("{domain}.enable"), json!({}));
        }
        Some(made)
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let message = self.read();
            if message["id"] == json!(self.sent) {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).expect("the browser answers");
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        let message: Value = serde_json::from_slice(&bytes).expect("JSON");
        let params = &message["params"];
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded = true,
            Some("Runtime.exceptionThrown") => self.complaints.push(params["exceptionDetails"].to_string()),
            Some("Log.entryAdded") => self.complaints.push(params["entry"].to_string()),
            Some("Page.javascriptDialogOpening") => self.complaints.push(params.to_string()),
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("file:") && !url.starts_with("data:") {
                    self.complaints.push(format!("request to {url}"));
                }
            }
            _ => {}
        }
        message
    }

    /// Opens a file in a window of this size.
    pub fn open(&mut self, file: &Path, width: u32, height: u32, dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
        self.loaded = false;
        let found = self.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        assert!(found["errorText"].is_null(), "{found}");
        while !self.loaded {
            self.read();
        }
    }

    /// Prints the page; gives the bytes of the file.
    pub fn print(&mut self) -> usize {
        let made = self.call("Page.printToPDF", json!({}));
        // Four characters of base64 are three bytes.
        made["data"].as_str().expect("a file").len() / 4 * 3
    }

    /// Shows the page as paper does from now on.
    pub fn paper(&mut self) {
        self.call("Emulation.setEmulatedMedia", json!({ "media": "print" }));
        self.value("window.dispatchEvent(new Event('beforeprint'))");
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let found = self.call("Runtime.evaluate", params);
        assert!(found.get("exceptionDetails").is_none(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Clicks with the mouse on the middle of the first element that fits, or on a share of its width in the window.
    pub fn click_at(&mut self, selector: &str, share: f64) {
        let place = format!(
            "(() => {{ const found = document.querySelector({}); if (!found) return null;
             found.scrollIntoView({{ block: 'center' }}); const box = found.getBoundingClientRect();
             const width = Math.min(box.right, window.innerWidth) - box.left;
             return [box.left + width * {share}, box.top + box.height / 2]; }})()",
            json!(selector)
        );
        let place = self.value(&place);
        assert!(place.is_array(), "nothing fits {selector}");
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Clicks on the middle of the first element that fits.
    pub fn click(&mut self, selector: &str) {
        self.click_at(selector, 0.5);
    }

    /// Milliseconds from the start of navigation until the first text or picture was painted.
    pub fn first_paint(&mut self) -> f64 {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            let time =
                self.value("performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0]");
            if let Some(time) = time.as_f64() {
                return time;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nothing was painted");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
