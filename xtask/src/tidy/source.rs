//! A Rust file as the rules see it: its lines, with and without comments and literals, and which of them are tests.

/// One Rust file.
pub struct Source {
    /// Relative to the root of the workspace, with `/`.
    pub path: String,
    text: String,
    code: String,
    test_start: usize,
}

/// One line of a file.
pub struct Line<'a> {
    /// From 1 on.
    pub number: usize,
    /// As written.
    pub raw: &'a str,
    /// With comments, strings and characters blanked.
    pub code: &'a str,
    /// Part of a test, bench or example?
    pub is_test: bool,
}

impl Source {
    /// Reads the text once.
    pub fn new(path: &str, text: String) -> Self {
        let code = blank_comments_and_literals(&text);
        let test_start = if is_test_file(path) {
            0
        } else {
            unit_test_start(&code)
        };
        Self {
            path: path.to_owned(),
            text,
            code,
            test_start,
        }
    }

    /// All lines.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text
            .lines()
            .zip(self.code.lines())
            .enumerate()
            .map(|(i, (raw, code))| Line {
                number: i + 1,
                raw,
                code,
                is_test: i >= self.test_start,
            })
    }

    /// Number of lines before the tests.
    pub fn library_lines(&self) -> usize {
        self.test_start
    }

    /// The text without comments and literals. Same length in characters and lines as the file.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The folder of the crate, such as `adv-core`, for a file of `crates/*/src`.
    pub fn library(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(name)
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path
            .split('/')
            .any(|part| matches!(part, "tests" | "benches" | "examples"))
}

/// Index of the line where the unit tests begin: `#[cfg(test)]` at the margin, perhaps other attributes, `mod tests {`.
fn unit_test_start(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
    let opens_module = |begin: usize| {
        let item = lines[begin..].iter().find(|line| !line.starts_with("#["));
        item.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let begins_tests = |&i: &usize| lines[i] == "#[cfg(test)]" && opens_module(i);
    (0..lines.len()).find(begins_tests).unwrap_or(lines.len())
}

/// Replaces the inside of comments, strings and characters by blanks; line ends stay.
fn blank_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = blank_length(&chars, at);
        if length == 0 {
            code.push(chars[at]);
            at += 1;
        } else {
            let end = (at + length).min(chars.len());
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// How many characters to blank from `at` on: those of the comment or literal that begins there, or none.
fn blank_length(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => string_length(rest),
        ['r', '"' | '#', ..] if starts_literal(chars, at) => raw_string_length(rest),
        ['\'', '\\', ..] => {
            2 + rest[2..]
                .iter()
                .skip(1)
                .position(|&c| c == '\'')
                .map_or(0, |end| end + 2)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 0, // code, or the quote of a lifetime
    }
}

/// An `r` inside an identifier, such as `for"`, begins no raw string; `br"` and `cr"` do.
fn starts_literal(chars: &[char], at: usize) -> bool {
    let is_word = |i: usize| chars[i].is_alphanumeric() || chars[i] == '_';
    match at {
        0 => true,
        1 => !is_word(0) || matches!(chars[0], 'b' | 'c'),
        _ => !is_word(at - 1) || (matches!(chars[at - 1], 'b' | 'c') && !is_word(at - 2)),
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Zero for a raw identifier such as `r#type`.
fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let body = 2 + hashes;
    let closes = |at: &usize| {
        rest[*at] == '"' && rest.len() > at + hashes && rest[at + 1..=at + hashes].iter().all(|&c| c == '#')
    };
    (body..rest.len())
        .find(closes)
        .map_or(rest.len(), |at| at + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        let table = [
            ("a(); // b()", "a();       "),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" y") + 1"#, "f(        ) + 1"),
            ("f(r#\"x \" y\"#, z)", "f(          , z)"),
            ("f(br\"x\") for", "f(b    ) for"),
            ("let r#type = 1", "let r#type = 1"),
            ("m('\\'', '\"', b)", "m(    ,    , b)"),
            ("m('\\u{1F}', b)", "m(        , b)"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("\"a\nb\" c", "  \n   c"),
        ];
        for (text, expected) in table {
            assert_eq!(blank_comments_and_literals(text), expected, "{text}");
        }
    }

    #[test]
    fn tests_begin_at_the_test_module_of_the_file() {
        let text = "//! Doc.\n#[cfg(test)]\nmod toy;\nfn f() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n";
        let source = Source::new("crates/adv-core/src/a.rs", text.into());
        let tests: Vec<bool> = source.lines().map(|line| line.is_test).collect();
        assert_eq!(tests, [false, false, false, false, true, true, true, true]);
        assert_eq!(source.library_lines(), 4);
    }

    #[test]
    fn whole_files_of_tests_benches_and_examples_are_tests() {
        let table = [
            ("crates/adv-core/tests/laws.rs", true),
            ("benches/benches/steps.rs", true),
            ("crates/adv-run/examples/own_loop.rs", true),
            ("crates/adv-core/src/ball/tests.rs", true),
            ("crates/adv-core/src/ball.rs", false),
        ];
        for (path, expected) in table {
            assert_eq!(is_test_file(path), expected, "{path}");
        }
    }

    #[test]
    fn libraries_are_named_by_their_folder() {
        let library = |path: &str| Source::new(path, String::new()).library().map(str::to_owned);
        assert_eq!(
            library("crates/adv-core/src/train/mod.rs").as_deref(),
            Some("adv-core")
        );
        assert_eq!(library("crates/adv-core/tests/laws.rs"), None);
        assert_eq!(library("xtask/src/main.rs"), None);
    }
}
