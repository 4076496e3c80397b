//! How high is a wave, so many seconds after it left?

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

const PERIOD: f64 = 8.0;
const HEIGHT: f64 = 2.5;

fn main() -> std::io::Result<()> {
    if std::env::args().any(|argument| argument == "--check") {
        println!("waves: {}", answer("GET /2 HTTP/1.1"));
        return Ok(());
    }
    let listener = TcpListener::bind(("0.0.0.0", 7000))?;
    println!("waves on port 7000");
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut request)?;
    let body = answer(&request);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", body.len(), body)
}

/// The answer to a request line such as `GET /12 HTTP/1.1`.
fn answer(request: &str) -> String {
    let seconds = request.split(' ').nth(1).and_then(|path| path.trim_start_matches('/').parse::<f64>().ok());
    match seconds {
        Some(seconds) => format!("{:.2} m\n", HEIGHT * (std::f64::consts::TAU * seconds / PERIOD).sin()),
        None => "ask for a number of seconds, as in /12\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn a_wave_is_highest_after_a_quarter_of_its_period() {
        assert_eq!(answer("GET /2 HTTP/1.1"), "2.50 m\n");
        assert_eq!(answer("GET /8 HTTP/1.1"), "-0.00 m\n");
    }

    #[test]
    fn what_is_no_number_gets_advice() {
        assert!(answer("GET /soon HTTP/1.1").starts_with("ask for a number"));
    }
}
