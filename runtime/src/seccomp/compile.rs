//! From rules to the kernel's filter instructions.

use std::collections::BTreeMap;

use crate::sys::seccomp::Instruction;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// It fails with this number.
    Fail(u16),
    /// It is handed to whoever listens.
    Notify,
    /// Its arguments decide.
    Ask(Question),
}

/// What is asked about the low 32 bits of an argument. For the calls that are asked about, the kernel looks at no more
/// than those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) argument: u8,
    pub(crate) test: Test,
    pub(crate) yes: Answer,
    pub(crate) no: Answer,
}

/// What a question leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    Fail(u16),
    Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// None of these bits is set.
    NoneOf(u32),
    /// It is one of these values.
    OneOf(&'static [u32]),
}

/// The rules of one architecture.
pub(super) struct Rules {
    /// `AUDIT_ARCH_…`.
    pub(super) architecture: u32,
    /// Call numbers from here on belong to another variant of the architecture, which does not exist for us.
    pub(super) end: Option<u32>,
    pub(super) verdicts: BTreeMap<u32, Verdict>,
    /// For the numbers between.
    pub(super) otherwise: Verdict,
    /// For the numbers beyond the last that the table knows.
    pub(super) newer: (u32, Verdict),
}

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// One filter for all architectures; a call of any other fails with `ENOSYS`.
pub(super) fn compile(all: &[Rules]) -> Vec<Instruction> {
    let mut program = vec![instruction(LOAD, ARCHITECTURE)];
    for rules in all {
        let body = compile_one(rules);
        // A jump over the body may be longer than a condition can express.
        program.push(jump(JUMP_IF_EQUAL, rules.architecture, 1, 0));
        program.push(instruction(JUMP, body.len() as u32));
        program.extend(body);
    }
    program.push(finish(Answer::Fail(libc::ENOSYS as u16)));
    program
}

fn compile_one(rules: &Rules) -> Vec<Instruction> {
    let mut body = vec![instruction(LOAD, NUMBER)];
    if let Some(end) = rules.end {
        body.push(jump(JUMP_IF_AT_LEAST, end, 0, 1));
        body.push(finish(Answer::Fail(libc::ENOSYS as u16)));
    }
    body.extend(decide(&ranges(rules)));
    body
}

/// Consecutive numbers with the same verdict, as the first number of each range; the first range begins at 0.
fn ranges(rules: &Rules) -> Vec<(u32, Verdict)> {
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    let mut add = |start, verdict| {
        if ranges.last().is_none_or(|&(_, last)| last != verdict) {
            ranges.push((start, verdict));
        }
    };
    let mut next = 0;
    for (&number, &verdict) in &rules.verdicts {
        if number > next {
            add(next, rules.otherwise);
        }
        add(number, verdict);
        next = number + 1;
    }
    let (first_newer, newer) = rules.newer;
    if next < first_newer {
        add(next, rules.otherwise);
        next = first_newer;
    }
    add(next, newer);
    ranges
}

/// Halves the ranges until one is left.
fn decide(ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    if let [(_, verdict)] = ranges {
        return settle(*verdict);
    }
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let below = decide(below);
    let mut body = match u8::try_from(below.len()) {
        Ok(length) => vec![jump(JUMP_IF_AT_LEAST, above[0].0, length, 0)],
        Err(_) => {
            vec![jump(JUMP_IF_AT_LEAST, above[0].0, 0, 1), instruction(JUMP, below.len() as u32)]
        }
    };
    body.extend(below);
    body.extend(decide(above));
    body
}

fn settle(verdict: Verdict) -> Vec<Instruction> {
    let question = match verdict {
        Verdict::Allow => return vec![finish(Answer::Allow)],
        Verdict::Fail(number) => return vec![finish(Answer::Fail(number))],
        Verdict::Notify => return vec![finish(Answer::Notify)],
        Verdict::Ask(question) => question,
    };
    // Little-endian, as all architectures we know are: the low half comes first.
    let mut body = vec![instruction(LOAD, ARGUMENTS + 8 * u32::from(question.argument))];
    match question.test {
        Test::NoneOf(bits) => body.push(jump(JUMP_IF_ANY, bits, 1, 0)),
        Test::OneOf(values) => {
            let count = values.len() as u8;
            for (index, &value) in values.iter().enumerate() {
                // To the yes behind the no; the last comparison falls through to the no.
                body.push(jump(JUMP_IF_EQUAL, value, count - index as u8, 0));
            }
            body.push(finish(question.no));
            body.push(finish(question.yes));
            return body;
        }
    }
    body.push(finish(question.yes));
    body.push(finish(question.no));
    body
}

fn finish(answer: Answer) -> Instruction {
    let value = match answer {
        Answer::Allow => libc::SECCOMP_RET_ALLOW,
        Answer::Fail(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
        Answer::Notify => libc::SECCOMP_RET_USER_NOTIF,
    };
    instruction(RETURN, value)
}

fn instruction(code: u16, value: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k: value }
}

fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, jt: if_true, jf: if_false, k: value }
}

/// The filter as bytes, for the journey to the first process.
pub(crate) fn to_bytes(program: &[Instruction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for instruction in program {
        bytes.extend_from_slice(&instruction.code.to_le_bytes());
        bytes.extend_from_slice(&[instruction.jt, instruction.jf]);
        bytes.extend_from_slice(&instruction.k.to_le_bytes());
    }
    bytes
}

/// The way back from [`to_bytes`].
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<Instruction> {
    bytes
        .chunks_exact(8)
        .map(|chunk| Instruction {
            code: u16::from_le_bytes([chunk[0], chunk[1]]),
            jt: chunk[2],
            jf: chunk[3],
            k: u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs a filter as the kernel would: what it answers, and after how many instructions.
    pub(in crate::seccomp) fn run(
        program: &[Instruction],
        architecture: u32,
        number: u32,
        argument: u32,
    ) -> (u32, usize) {
        let (mut accumulator, mut at) = (0, 0);
        for steps in 1.. {
            let current = &program[at];
            at += 1;
            let taken = match current.code {
                LOAD => {
                    accumulator = match current.k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        _ => argument,
                    };
                    continue;
                }
                JUMP => {
                    at += current.k as usize;
                    continue;
                }
                RETURN => return (current.k, steps),
                JUMP_IF_EQUAL => accumulator == current.k,
                JUMP_IF_AT_LEAST => accumulator >= current.k,
                JUMP_IF_ANY => accumulator & current.k != 0,
                other => panic!("no such instruction: {other}"),
            };
            at += usize::from(if taken { current.jt } else { current.jf });
        }
        unreachable!("a filter always returns")
    }

    fn rules(numbers: impl IntoIterator<Item = (u32, Verdict)>) -> Rules {
        Rules {
            architecture: 7,
            end: Some(1 << 30),
            verdicts: numbers.into_iter().collect(),
            otherwise: Verdict::Fail(1),
            newer: (2000, Verdict::Fail(38)),
        }
    }

    #[test]
    fn every_number_gets_its_own_verdict_however_many_there_are() {
        let program = compile(&[rules((0..1000).map(|number| (number * 2, Verdict::Allow)))]);
        for number in 0..2001 {
            let expected = match number {
                2000.. => libc::SECCOMP_RET_ERRNO | 38,
                number if number % 2 == 0 => libc::SECCOMP_RET_ALLOW,
                _ => libc::SECCOMP_RET_ERRNO | 1,
            };
            let (answer, steps) = run(&program, 7, number, 0);
            assert_eq!(answer, expected, "{number}");
            assert!(steps < 32, "{number} took {steps}");
        }
    }

    #[test]
    fn another_architecture_is_told_that_nothing_exists() {
        let program = compile(&[rules([(1, Verdict::Allow)])]);
        assert_eq!(run(&program, 8, 1, 0).0, libc::SECCOMP_RET_ERRNO | 38);
        assert_eq!(run(&program, 7, (1 << 30) + 1, 0).0, libc::SECCOMP_RET_ERRNO | 38);
    }

    #[test]
    fn arguments_decide_where_they_are_asked() {
        let question =
            |test| Verdict::Ask(Question { argument: 0, test, yes: Answer::Allow, no: Answer::Fail(1) });
        let program =
            compile(&[rules([(1, question(Test::NoneOf(0b110))), (2, question(Test::OneOf(&[3, 5, 9])))])]);
        let allowed = |number, argument| run(&program, 7, number, argument).0 == libc::SECCOMP_RET_ALLOW;
        assert!(allowed(1, 0b1001) && !allowed(1, 0b010) && !allowed(1, 0b100));
        assert!(allowed(2, 3) && allowed(2, 5) && allowed(2, 9) && !allowed(2, 4) && !allowed(2, 0));
    }

    #[test]
    fn the_journey_changes_nothing() {
        let program = compile(&[rules([(1, Verdict::Notify)])]);
        assert_eq!(from_bytes(&to_bytes(&program)), program);
    }
}
