//! Reads any bytes as a Dockerfile: nothing panics, places are inside the text, what is shown has no control characters,
//! and the trigger of an ONBUILD reads as it did.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tug_dockerfile::{
    Arguments, Dockerfile, InstructionKind, LineIndex, LintOptions, ParseError, detect_syntax, lint,
    needed_stages, outline, parse_instruction, targets,
};

fuzz_target!(|source: &[u8]| {
    let _ = detect_syntax(source);
    if let Err(errors) = parse_instruction(source).map_err(|error| vec![error]) {
        well_told(&errors, source);
    }
    let dockerfile = match Dockerfile::parse(source) {
        Ok(dockerfile) => dockerfile,
        Err(errors) => return well_told(&errors, source),
    };
    assert!(!dockerfile.stages.is_empty(), "a Dockerfile without a stage is an error");
    for instruction in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
        let span = instruction.span;
        assert!(span.start < span.end && span.end <= source.len(), "{span:?} of {}", source.len());
        if let InstructionKind::Onbuild(onbuild) = &instruction.kind {
            let again =
                parse_instruction(&onbuild.text).expect("a trigger that was read once can be read again");
            assert_eq!(again.text, onbuild.instruction.text);
        }
        if let InstructionKind::Run(run) = &instruction.kind {
            let _ = run.program();
        }
    }
    let arguments = Arguments::default();
    for finding in lint(&dockerfile, &LintOptions::default()) {
        assert!(finding.span.end <= source.len(), "{finding:?}");
    }
    let last = targets(&dockerfile).len() - 1;
    let _ = outline(&dockerfile, last, &arguments);
    assert!(needed_stages(&dockerfile, last, &arguments).contains(&last));
});

fn well_told(errors: &[ParseError], source: &[u8]) {
    let index = LineIndex::new(source);
    assert!(!errors.is_empty() && errors.len() <= 20, "{} errors", errors.len());
    assert!(errors.is_sorted_by_key(|error| error.span.start), "errors are not in order: {errors:?}");
    for error in errors {
        assert!(error.span.end <= source.len(), "{error:?}");
        assert!(index.location(error.span.start).line >= 1);
        let rendered = error.render(source, "Dockerfile");
        assert!(rendered.chars().all(|shown| shown == '\n' || !shown.is_control()), "{rendered:?}");
    }
}
