//! Faults, and which requests they meet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, End};
use super::contents::Contents;
use super::wire::Request;

/// Requests that are answered otherwise than rightly.
///
/// The first rule of a peer that meets a request and is not used up decides about it.
#[derive(Clone)]
pub struct Rule {
    method: String,
    part_of_target: String,
    header: Option<(String, Option<String>)>,
    skip: usize,
    times: usize,
    pub(super) effects: Effects,
}

type Answering = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;
type Changing = Arc<dyn Fn(&mut Contents) + Send + Sync>;

/// What happens to a request that a rule meets.
#[derive(Clone, Default)]
pub(super) struct Effects {
    pub(super) is_held: bool,
    pub(super) ignores_range: bool,
    /// Of the request's body, before it is answered.
    pub(super) early: Option<(u64, Answer)>,
    pub(super) cut_request: Option<(u64, End)>,
    pub(super) take: Option<u64>,
    pub(super) instead: Option<Answering>,
    pub(super) then: Option<Changing>,
    /// The request is acted on, and this is how its answer is lost.
    pub(super) lost: Option<End>,
    pub(super) cut: Option<(u64, End)>,
    pub(super) trickle: Option<(usize, Duration)>,
    pub(super) corrupt: Option<usize>,
    pub(super) resize: i64,
    pub(super) shift: (i64, i64),
    pub(super) headers: Vec<(String, Option<String>)>,
}

impl Rule {
    /// Meets requests with this method (`*`: any) whose path and query contain `part_of_target`.
    pub fn on(method: &str, part_of_target: &str) -> Self {
        Self {
            method: method.to_owned(),
            part_of_target: part_of_target.to_owned(),
            header: None,
            skip: 0,
            times: usize::MAX,
            effects: Effects::default(),
        }
    }

    /// Meets only requests with a header of this name (in lower case) that contains `part`.
    #[must_use]
    pub fn with(mut self, header: &str, part: &str) -> Self {
        self.header = Some((header.to_owned(), Some(part.to_owned())));
        self
    }

    /// Meets only requests without a header of this name (in lower case).
    #[must_use]
    pub fn without(mut self, header: &str) -> Self {
        self.header = Some((header.to_owned(), None));
        self
    }

    /// Leaves the first `count` of the requests it would meet alone.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Is used up after `count` requests.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// Is used up after one request.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Answers with this, and does nothing that was asked.
    #[must_use]
    pub fn answer(self, answer: Answer) -> Self {
        self.answer_by(move |_| answer.clone())
    }

    /// Answers with what `answer` makes of the request, and does nothing that was asked.
    #[must_use]
    pub fn answer_by(mut self, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        self.effects.instead = Some(Arc::new(answer));
        self
    }

    /// Answers when `bytes` of the request's body have come, reads no more, and closes.
    #[must_use]
    pub fn answer_early(mut self, bytes: u64, answer: Answer) -> Self {
        self.effects.early = Some((bytes, answer));
        self
    }

    /// Ends the connection when `bytes` of the request's body have come.
    #[must_use]
    pub fn cut_request(mut self, bytes: u64, how: End) -> Self {
        self.effects.cut_request = Some((bytes, how));
        self
    }

    /// Reads the whole body of the request and keeps only the first `bytes` of it.
    #[must_use]
    pub fn take(mut self, bytes: u64) -> Self {
        self.effects.take = Some(bytes);
        self
    }

    /// Does what was asked, and ends the connection instead of answering.
    #[must_use]
    pub fn lose_answer(mut self, how: End) -> Self {
        self.effects.lost = Some(how);
        self
    }

    /// Waits with the answer until [`super::Peer::release`].
    #[must_use]
    pub fn hold(mut self) -> Self {
        self.effects.is_held = true;
        self
    }

    /// Ends the connection when `bytes` of the answer's body were sent, if that is not all.
    #[must_use]
    pub fn cut(mut self, bytes: u64, how: End) -> Self {
        self.effects.cut = Some((bytes, how));
        self
    }

    /// Sends the answer's body in pieces of `bytes` with a pause after each.
    #[must_use]
    pub fn trickle(mut self, bytes: usize, pause: Duration) -> Self {
        self.effects.trickle = Some((bytes, pause));
        self
    }

    /// Turns over the byte at this place of the answer's body (or the last one before it).
    #[must_use]
    pub fn corrupt(mut self, index: usize) -> Self {
        self.effects.corrupt = Some(index);
        self
    }

    /// Makes the answer's body longer, or shorter, by so many bytes. The length that is announced fits.
    #[must_use]
    pub fn resize(mut self, bytes: i64) -> Self {
        self.effects.resize = bytes;
        self
    }

    /// Answers as if no part had been asked for.
    #[must_use]
    pub fn ignore_range(mut self) -> Self {
        self.effects.ignores_range = true;
        self
    }

    /// Moves the start and the total of `Content-Range` by these amounts.
    #[must_use]
    pub fn shift_range(mut self, start: i64, total: i64) -> Self {
        self.effects.shift = (start, total);
        self
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.effects.headers.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Leaves a header of the answer out.
    #[must_use]
    pub fn no_header(mut self, name: &str) -> Self {
        self.effects.headers.push((name.to_owned(), None));
        self
    }

    /// Changes what is in the registry, after the answer was made and before it is sent: somebody else was quick.
    #[must_use]
    pub fn then(mut self, change: impl Fn(&mut Contents) + Send + Sync + 'static) -> Self {
        self.effects.then = Some(Arc::new(change));
        self
    }

    /// What happens to this request, if the rule meets it. Counts.
    pub(super) fn meet(&mut self, request: &Request) -> Option<Effects> {
        let header_fits = match &self.header {
            None => true,
            Some((name, None)) => request.header(name).is_none(),
            Some((name, Some(part))) => request.header(name).is_some_and(|value| value.contains(part)),
        };
        let method_fits = self.method == "*" || self.method == request.method;
        if !method_fits || !header_fits || !request.target.contains(&self.part_of_target) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(self.effects.clone())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} *{}*", self.method, self.part_of_target)
    }
}

impl Effects {
    /// Changes an answer that was right.
    pub(super) fn bend(&self, answer: &mut Answer) {
        if self.resize != 0 && !answer.body.is_empty() {
            let length =
                answer.body.len().saturating_add_signed(isize::try_from(self.resize).expect("it fits"));
            answer.body.resize(length, b'+');
        }
        if let (Some(index), Some(last)) = (self.corrupt, answer.body.len().checked_sub(1)) {
            answer.body[index.min(last)] ^= 0xff;
        }
        if self.shift != (0, 0)
            && let Some(range) = answer.find("Content-Range").and_then(|range| shifted(range, self.shift))
        {
            answer.set("Content-Range", Some(&range));
        }
        for (name, value) in &self.headers {
            answer.set(name, value.as_deref());
        }
    }
}

fn shifted(range: &str, by: (i64, i64)) -> Option<String> {
    let (ends, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = ends.split_once('-')?;
    let start = start.parse::<i64>().ok()? + by.0;
    let end = end.parse::<i64>().ok()? + by.0;
    let total = total.parse::<i64>().ok()? + by.1;
    Some(format!("bytes {start}-{end}/{total}"))
}
