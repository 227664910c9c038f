//! The lines a process writes, as they arrive.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Lines read so far from a pipe, by a thread that ends with it.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let theirs = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                theirs.0.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        lines
    }

    /// Every line as text.
    pub fn text(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Every line that is a JSON object.
    pub fn json(&self) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
