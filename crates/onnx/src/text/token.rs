//! Tokens of the text form (protobuf's "Text Format Language Specification").

/// What is wrong, and on which line.
#[derive(Debug)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// In words.
    pub message: String,
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    /// A name.
    Word(&'a str),
    /// A number without its sign, as it stands.
    Number(&'a str),
    /// The bytes of a text in quotes.
    Text(Vec<u8>),
    /// A sign.
    Sign(char),
}

/// Reads tokens.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    ahead: Option<(Token<'a>, usize)>,
}

impl<'a> Tokens<'a> {
    /// Tokens of a text.
    pub fn new(text: &'a str) -> Self {
        Tokens { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1, ahead: None }
    }

    /// Line of the token that comes next, or of the end.
    pub fn line(&self) -> usize {
        self.ahead.as_ref().map_or(self.line, |(_, line)| *line)
    }

    /// A fault of the next token.
    pub fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { line: self.line(), message: message.into() })
    }

    /// The next token, which stays; none at the end.
    ///
    /// # Errors
    /// What is no token.
    pub fn peek(&mut self) -> Result<Option<&Token<'a>>, Fault> {
        if self.ahead.is_none() {
            self.ahead = self.read()?;
        }
        Ok(self.ahead.as_ref().map(|(token, _)| token))
    }

    /// The next token.
    ///
    /// # Errors
    /// What is no token.
    pub fn next(&mut self) -> Result<Option<Token<'a>>, Fault> {
        self.peek()?;
        Ok(self.ahead.take().map(|(token, _)| token))
    }

    /// Takes the next token if it is this sign.
    ///
    /// # Errors
    /// What is no token.
    pub fn take(&mut self, sign: char) -> Result<bool, Fault> {
        let is = self.peek()? == Some(&Token::Sign(sign));
        if is {
            self.ahead = None;
        }
        Ok(is)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn read(&mut self) -> Result<Option<(Token<'a>, usize)>, Fault> {
        loop {
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Ok(None) };
            match first {
                '\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                ' ' | '\t' | '\r' | '\x0b' | '\x0c' => self.at += 1,
                '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
                _ => break,
            }
        }
        let (rest, line) = (self.rest(), self.line);
        let first = rest.chars().next().unwrap_or_default();
        let until = |is: fn(char) -> bool| rest.find(|letter: char| !is(letter)).unwrap_or(rest.len());
        let is_number =
            first.is_ascii_digit() || first == '.' && rest[1..].starts_with(|letter: char| letter.is_ascii_digit());
        let token = match first {
            _ if first.is_ascii_alphabetic() || first == '_' => {
                Token::Word(&rest[..until(|letter| letter.is_ascii_alphanumeric() || letter == '_')])
            }
            _ if is_number => Token::Number(&rest[..number(rest)]),
            '"' | '\'' => return Ok(Some((Token::Text(self.quoted(first)?), line))),
            '{' | '}' | '<' | '>' | '[' | ']' | ':' | ',' | ';' | '-' | '/' | '.' => Token::Sign(first),
            _ => return self.fault(format!("`{}` means nothing here", first.escape_default())),
        };
        self.at += match &token {
            Token::Word(text) | Token::Number(text) => text.len(),
            _ => first.len_utf8(),
        };
        Ok(Some((token, line)))
    }

    /// A text in quotes, behind its first one.
    fn quoted(&mut self, quote: char) -> Result<Vec<u8>, Fault> {
        let mut made = Vec::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let plain = rest.find([quote, '\\', '\n']).unwrap_or(rest.len());
            made.extend_from_slice(&rest.as_bytes()[..plain]);
            self.at += plain;
            let mut letters = rest[plain..].chars();
            match letters.next() {
                Some(letter) if letter == quote => {
                    self.at += 1;
                    return Ok(made);
                }
                Some('\\') => {
                    self.at +=
                        1 + escaped(letters.as_str(), &mut made).map_or_else(|message| self.fault(message), Ok)?;
                }
                _ => return self.fault("a text in quotes does not end on its line"),
            }
        }
    }
}

/// Bytes of a number that a text begins with.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_hex = bytes.len() > 1 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    let mut at = 0;
    while at < bytes.len() {
        let exponent = !is_hex && at > 0 && bytes[at - 1].eq_ignore_ascii_case(&b'e');
        match bytes[at] {
            b'.' | b'_' => {}
            letter if letter.is_ascii_alphanumeric() => {}
            b'+' | b'-' if exponent => {}
            _ => break,
        }
        at += 1;
    }
    at
}

/// Adds the bytes that an escape stands for, behind its backslash; gives how many bytes of text it took.
fn escaped(text: &str, made: &mut Vec<u8>) -> Result<usize, String> {
    let Some(first) = text.chars().next() else { return Err("a text in quotes ends in an escape".into()) };
    let digits = |start: usize, most: usize, radix: u32| {
        let digits = text[start..].chars().take(most).take_while(|letter| letter.is_digit(radix)).count();
        (u32::from_str_radix(&text[start..start + digits], radix).unwrap_or(0), digits)
    };
    let byte = match first {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' | '\'' | '"' | '?' => first as u8,
        '0'..='7' => {
            let (value, count) = digits(0, 3, 8);
            let byte = u8::try_from(value).map_err(|_| format!("the escape \\{} is no byte", &text[..count]))?;
            made.push(byte);
            return Ok(count);
        }
        'x' | 'X' => match digits(1, 2, 16) {
            (_, 0) => return Err("an escape \\x has no digits".into()),
            (value, count) => {
                made.push(value as u8);
                return Ok(1 + count);
            }
        },
        'u' | 'U' => {
            let most = if first == 'u' { 4 } else { 8 };
            let (value, count) = digits(1, most, 16);
            let letter = char::from_u32(value).filter(|_| count == most);
            let letter = letter.ok_or_else(|| format!("an escape \\{first} is no character"))?;
            made.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(1 + most);
        }
        other => return Err(format!("`\\{}` is no escape", other.escape_default())),
    };
    made.push(byte);
    Ok(1)
}
