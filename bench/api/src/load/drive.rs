//! The loop: who is due sends, who has an answer is timed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::connection::{Connection, Progress, Sent};
use crate::plan::Plan;
use crate::report::Report;

/// Events of one look at the connections.
const EVENTS_MAX: usize = 256;
/// Most that one read takes, in bytes.
const READ_BYTES_MAX: usize = 256 << 10;
/// What is due in the beginning is sent but not counted, so that caches and pools are warm.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// Marks the timer among the connections' numbers.
const TIMER: u64 = u64::MAX;
/// The schedule is the same in each run.
const SEED: u64 = 0x526f_6e64_6f5f_4150;

/// When requests are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// On each connection the next as soon as there is an answer.
    Saturate,
    /// By each user at moments of the schedule, half to one and a half `think` apart.
    Users { think: Duration },
}

pub struct Drive<'a> {
    plan: &'a Plan,
    address: SocketAddr,
    pace: Pace,
    users: Vec<User>,
    /// Who is due next.
    schedule: BinaryHeap<Reverse<(Instant, usize)>>,
    epoll: Epoll,
    timer: TimerFd,
    random: Random,
    under_way: usize,
    report: Report,
}

struct User {
    connection: Connection,
    step: usize,
    /// Moments at which this user was due while an earlier request was still under way.
    late: VecDeque<Instant>,
}

impl<'a> Drive<'a> {
    /// Connects everyone.
    ///
    /// # Errors
    /// When a connection is not taken.
    pub fn open(
        plan: &'a Plan,
        address: SocketAddr,
        connections: usize,
        pace: Pace,
    ) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let mut users = Vec::with_capacity(connections);
        for number in 0..connections {
            let connection = Connection::open(address)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            epoll.add(connection.stream(), event)?;
            users.push(User { connection, step: 0, late: VecDeque::new() });
        }
        Ok(Self {
            plan,
            address,
            pace,
            users,
            schedule: BinaryHeap::new(),
            epoll,
            timer,
            random: Random(SEED),
            under_way: 0,
            report: Report::new(plan, connections),
        })
    }

    /// Drives the load for the warm-up and `length` beyond.
    ///
    /// # Errors
    /// When an answer is not understood, or the system refuses.
    pub fn run(mut self, length: Duration) -> Result<Report> {
        let start = Instant::now();
        let end = start + WARM_UP + length;
        self.report.count_from(start + WARM_UP, end);
        self.begin(start)?;
        let mut events = vec![EpollEvent::empty(); EVENTS_MAX];
        let mut buffer = vec![0; READ_BYTES_MAX];
        loop {
            let now = Instant::now();
            if now >= end + LAST_ANSWERS || (now >= end && self.under_way == 0) {
                break;
            }
            self.send_what_is_due(now, end)?;
            self.set_timer(now, end)?;
            let count = self.epoll.wait(&mut events, EpollTimeout::NONE)?;
            for event in &events[..count] {
                match event.data() {
                    // Silenced; the loop looks at the clock anyway.
                    TIMER => drop(self.timer.wait()),
                    number => self.hear(usize::try_from(number)?, &mut buffer, end)?,
                }
            }
        }
        self.report.unanswered(self.under_way);
        Ok(self.report.finish())
    }

    fn begin(&mut self, start: Instant) -> Result<()> {
        for number in 0..self.users.len() {
            match self.pace {
                Pace::Saturate => self.send(number, start)?,
                Pace::Users { think } => {
                    let first = start + self.random.share_of(think);
                    self.schedule.push(Reverse((first, number)));
                }
            }
        }
        Ok(())
    }

    fn send_what_is_due(&mut self, now: Instant, end: Instant) -> Result<()> {
        let Pace::Users { think } = self.pace else { return Ok(()) };
        while let Some(&Reverse((due, number))) = self.schedule.peek() {
            if due > now {
                break;
            }
            self.schedule.pop();
            if due >= end {
                continue;
            }
            let next = due + think / 2 + self.random.share_of(think);
            self.schedule.push(Reverse((next, number)));
            if self.users[number].connection.is_idle() {
                self.send(number, due)?;
            } else {
                self.users[number].late.push_back(due);
            }
        }
        Ok(())
    }

    /// Wakes the loop for who is due next, or for the end.
    fn set_timer(&self, now: Instant, end: Instant) -> Result<()> {
        let end = if now < end { end } else { end + LAST_ANSWERS };
        let next = self.schedule.peek().map_or(end, |&Reverse((due, _))| due.min(end));
        // Zero would switch it off.
        let wait = next.saturating_duration_since(now).max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        Ok(self.timer.set(expiration, TimerSetTimeFlags::empty())?)
    }

    /// Sends a user's next request; on a new connection when the server has closed the old one.
    fn send(&mut self, number: usize, due: Instant) -> Result<()> {
        let connections = self.users.len();
        let user = &mut self.users[number];
        let who = match self.pace {
            // Everyone in turn: a few users alone would soon have many times the tasks of the others.
            Pace::Saturate => number + user.step * connections,
            Pace::Users { .. } => number,
        };
        let (kind, request) = self.plan.request(who, user.step);
        user.step += 1;
        let sent = Sent { kind, due };
        if user.connection.send(request, sent)? {
            self.under_way += 1;
            return Ok(());
        }
        self.reconnect(number)?;
        if self.users[number].connection.send(request, sent)? {
            self.under_way += 1;
        } else {
            self.report.failed(sent, "closed");
        }
        Ok(())
    }

    fn reconnect(&mut self, number: usize) -> Result<()> {
        let user = &mut self.users[number];
        // Closing a descriptor takes it out of the set.
        user.connection = Connection::open(self.address)?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        self.epoll.add(user.connection.stream(), event)?;
        self.report.reconnected();
        Ok(())
    }

    fn hear(&mut self, number: usize, buffer: &mut [u8], end: Instant) -> Result<()> {
        match self.users[number].connection.read(buffer)? {
            Progress::Waiting => return Ok(()),
            Progress::Answered { sent, status } => {
                self.under_way -= 1;
                self.report.answered(sent, status, Instant::now());
            }
            Progress::Closed(sent) => {
                if let Some(sent) = sent {
                    self.under_way -= 1;
                    self.report.failed(sent, "closed");
                }
                self.reconnect(number)?;
            }
        }
        let now = Instant::now();
        match self.pace {
            Pace::Saturate if now < end => self.send(number, now),
            Pace::Saturate => Ok(()),
            Pace::Users { .. } => match self.users[number].late.pop_front() {
                Some(due) => self.send(number, due),
                None => Ok(()),
            },
        }
    }
}

/// xorshift64*: enough to scatter a schedule.
struct Random(u64);

impl Random {
    /// Some part of `whole`, each as likely as the others.
    fn share_of(&mut self, whole: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        let whole_ns = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX >> 32);
        Duration::from_nanos(((u128::from(whole_ns) * u128::from(bits)) >> 32) as u64)
    }
}
