"""pattern and glob against Python's re: whatever they let pass, re must let pass with the same meaning.

Environment: MATCHER_CASES (pairs of a rule and a text for each kind, default 6000), MATCHER_SEED (default: new each time).
"""
import os
import random
import re
import signal
import subprocess

import pytest

from conftest import BUILD

MATCHERS = os.path.join(BUILD, "tests", "oracle", "matchers")
CASES = int(os.environ.get("MATCHER_CASES", "6000"))
SEED = int(os.environ.get("MATCHER_SEED", random.randrange(1 << 32)))
TEXTS = 6  # for each rule

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # "||" in a class may mean more some day


def word(data):
    return data.hex() or "-"


def ask(letter, cases):
    """The answers of the program: for each case a list of booleans, or None if the rule is refused."""
    lines = "".join("%s %s\n" % (letter, " ".join(word(w.encode()) for w in (rule, *texts))) for rule, texts in cases)
    out = subprocess.run([MATCHERS], input=lines, capture_output=True, text=True, timeout=150, check=True).stdout
    answers = [None if a.startswith("bad ") else [c == "1" for c in a] for a in out.splitlines()]
    assert len(answers) == len(cases)
    return answers


class Patterns:
    """Random patterns together with texts that they should match, or nearly."""

    letters = "abc1 _-\u00e4\u4e2d\n"

    def __init__(self, seed):
        self.r = random.Random(seed)

    def char(self):
        c = self.r.choice(self.letters + ".*[](){}|\\^$+?/\U0001f600")
        return c, c

    def escaped(self, c):
        how = self.r.randrange(4)
        if how == 0 and ord(c) < 256:
            return "\\x%02x" % ord(c)
        if how == 1:
            return "\\u{%x}" % ord(c)
        if c in "\n\t":
            return {"\n": "\\n", "\t": "\\t"}[c]
        return "\\" + c if c in ".*[](){}|\\^$+?-" else c

    def set(self):
        letter = self.r.choice("dwsDWS")
        fits = [c for c in self.letters + "Z9\t" if re.fullmatch("\\" + letter, c, re.A)]
        return "\\" + letter, self.r.choice(fits)

    def member(self):
        r = self.r
        if r.random() < 0.2:
            return self.set()
        c, _ = self.char()
        if r.random() < 0.4:
            d, _ = self.char()
            c, d = min(c, d), max(c, d)
            return self.escaped(c) + "-" + self.escaped(d), r.choice((c, d))
        return self.escaped(c), c

    def klass(self):
        parts = [self.member() for _ in range(self.r.randint(1, 4))]
        text = "".join(p for p, _ in parts)
        if self.r.random() < 0.1:
            text = self.r.choice(("-" + text, text + "-"))
        if self.r.random() < 0.3:
            return "[^" + text + "]", self.r.choice(self.letters)
        return "[" + text + "]", self.r.choice(parts)[1]

    def atom(self, depth):
        k = self.r.random()
        if k < 0.45 or depth == 0 and k > 0.8:
            c, _ = self.char()
            return self.escaped(c), c
        if k < 0.55:
            return ".", self.r.choice(self.letters)
        if k < 0.65:
            return self.set()
        if k < 0.8:
            return self.klass()
        p, s = self.choice(depth - 1)
        return self.r.choice(("(", "(?:")) + p + ")", s

    def piece(self, depth):
        p, s = self.atom(depth)
        k = self.r.random()
        if k > 0.4:
            return p, s
        if k < 0.25:
            mark = self.r.choice("*+?")
            return p + mark, s * self.r.choice((0, 1, 1) if mark == "?" else (1, 2, 3))
        least = self.r.randint(0, 3)
        if k < 0.3:
            return p + "{%d}" % least, s * least
        if k < 0.33:
            return p + "{%d,}" % least, s * (least + self.r.randint(0, 2))
        most = least + self.r.randint(0, 3)
        return p + "{%d,%d}" % (least, most), s * self.r.randint(least, most)

    def run(self, depth):
        parts = [self.piece(depth) for _ in range(self.r.randint(0 if self.r.random() < 0.1 else 1, 4))]
        return "".join(p for p, _ in parts), "".join(s for _, s in parts)

    def choice(self, depth):
        branches = [self.run(depth) for _ in range(self.r.choice((1, 1, 1, 2, 3)))]
        return "|".join(p for p, _ in branches), self.r.choice(branches)[1]

    def near(self, text):
        """The text with a small change, or none."""
        r = self.r
        at = r.randint(0, len(text))
        k = r.randrange(4)
        if k == 0:
            return text
        if k == 1:
            return text[:at] + text[at + 1:]
        return text[:at] + r.choice(self.letters) + text[at + (k == 2):]

    def case(self):
        p, s = self.choice(2)
        s = s[:24]  # re may go back and forth for a long time
        texts = [s] + [self.near(s) for _ in range(TEXTS - 2)]
        texts.append("".join(self.r.choice(self.letters) for _ in range(self.r.randint(0, 6))))
        if self.r.random() < 0.1:
            p = self.r.choice(("^" + p, p + "$", "^" + p + "$"))
        return p, texts

    def noise(self):
        """Marks in any order: most of it is no pattern for anybody."""
        p = "".join(self.r.choice("ab()[]{}|*+?^$.\\-,012dx:\u00e4") for _ in range(self.r.randint(1, 9)))
        return p, ["".join(self.r.choice("ab012-,") for _ in range(self.r.randint(0, 4))) for _ in range(TEXTS)]


def python_pattern(p):
    """In the words of re: \\u{H} is \\UHHHHHHHH there."""
    return re.sub(r"(\\\\)|(\\u\{([0-9a-f]+)\})", lambda m: m[1] or "\\U%08x" % int(m[3], 16), p)


class TooLong(Exception):
    """re goes back and forth for ever: what the pattern would mean to it is not known."""


def on_alarm(_signal, _frame):
    raise TooLong


def python_answers(compiled, texts):
    """What re says about each text, or TooLong after half a second of work."""
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
    try:
        return [compiled.fullmatch(t) is not None for t in texts]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def compare_patterns(cases):
    refused = unknown = 0
    signal.signal(signal.SIGVTALRM, on_alarm)
    for (p, texts), got in zip(cases, ask("p", cases)):
        if got is None:
            refused += 1
            continue
        compiled = re.compile(python_pattern(p), re.A)
        try:
            wanted = python_answers(compiled, texts)
        except TooLong:
            unknown += 1
            continue
        assert got == wanted, "seed %d: pattern %r, texts %r" % (SEED, p, texts)
    assert unknown <= len(cases) / 200
    return refused


def test_patterns_mean_what_they_mean_to_python():
    make = Patterns(SEED)
    cases = [make.case() for _ in range(CASES // TEXTS)]
    refused = compare_patterns(cases)
    # what is made here is in the language: only a rare one is too large
    assert refused < len(cases) / 20


def test_whatever_is_let_pass_is_a_pattern_to_python_too():
    make = Patterns(SEED + 1)
    cases = [make.noise() for _ in range(CASES // TEXTS)]
    refused = compare_patterns(cases)
    assert refused < len(cases)


class Globs:
    letters = "ab.\u00e4"

    def __init__(self, seed):
        self.r = random.Random(seed)

    def component(self):
        """A glob of one component, the same as a regular expression, and a text that fits it."""
        glob, expression, text = "", "", ""
        for _ in range(self.r.choice((0, 1, 2, 2, 3, 4))):
            c = self.r.choice(self.letters)
            k = self.r.randrange(6)
            if k == 0 and not glob.endswith("*"):
                g, e, t = "*", "[^/]*", c * self.r.randint(0, 3)
            elif k == 1:
                g, e, t = "?", "[^/]", c
            elif k == 2:
                d = self.r.choice(self.letters)
                g, e, t = "[%s%s]" % (c, d), "[%s%s]" % (c, d), self.r.choice((c, d))
            elif k == 3:
                g, e, t = self.r.choice("!^"), "[^/%s]" % c, "c"
                g = "[%s%s]" % (g, c)
            else:
                g, e, t = self.r.choice((c, "\\" + c)), re.escape(c), c
            glob, expression, text = glob + g, expression + e, text + t
        return glob, expression, text

    def case(self):
        r = self.r
        glob, expression, text = ("", "", "") if r.random() < 0.5 else ("/", "/", "/")
        parts = r.randint(1, 5)
        for i in range(parts):
            is_last = i == parts - 1
            if r.random() < 0.3:
                inner = "/".join("ab"[: r.randint(1, 2)] for _ in range(r.randint(0, 2)))
                whole = glob == ""
                glob += "**" if is_last else "**/"
                expression += (".*" if whole else ".+") if is_last else "(.*/)?"
                text += inner if is_last or not inner else inner + "/"
            else:
                g, e, t = self.component()
                end = "" if is_last else "/"
                glob, expression, text = glob + g + end, expression + e + end, text + t + end
        texts = [text] + [self.near(text) for _ in range(TEXTS - 1)]
        return glob, expression, texts

    def near(self, text):
        at, k = self.r.randint(0, len(text)), self.r.randrange(3)
        return text[:at] + (self.r.choice(self.letters + "///") if k else "") + text[at + (k != 2):]


def test_globs_mean_what_their_expressions_mean():
    make = Globs(SEED + 2)
    made = [make.case() for _ in range(CASES // TEXTS)]
    answers = ask("g", [(glob, texts) for glob, _, texts in made])
    for (glob, expression, texts), got in zip(made, answers):
        compiled = re.compile(expression, re.S)
        wanted = [compiled.fullmatch(t) is not None for t in texts]
        assert got == wanted, "seed %d: glob %r, texts %r" % (SEED, glob, texts)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "([a-z]+)*0"])
def test_what_makes_others_run_for_ever_is_answered(pattern):
    assert ask("p", [(pattern, ["a" * 2048, "a" * 2047, "a" * 5000])])[0] == [False] * 3
