"""The terminal's command line as a desk: asks for secrets without showing them, and tells in one or both languages."""

import getpass
from typing import Final, TextIO

from rich.console import Console as RichConsole

from eligibility.wire.problems import Problem, Sentence
from terminal_agent.card.errors import MalformedNumberB, MalformedPin, PinNotEntered
from terminal_agent.card.pins import NumberB, Pin
from terminal_agent.language import Language, in_language
from terminal_agent.messages import ADVICE, PROMPTS, Advice

_PIN_DIGITS: Final = 4


class Console:
    """A person at the command line; where standard input is no terminal, each secret is one line of it."""

    def __init__(self, language: Language, notes: RichConsole, source: TextIO) -> None:
        self._language = language
        self._notes = notes
        self._source = source
        self._interactive = source.isatty()

    @property
    def may_ask_again(self) -> bool:
        """Whether a wrong entry can be put right: a program that feeds us lines gets one try."""
        return self._interactive

    def words(self, sentence: Sentence) -> str:
        """Return a sentence in the language chosen; both are joined by a slash."""
        return in_language(sentence, self._language)

    def tell(self, sentence: Sentence, style: str = "") -> None:
        """Show a sentence beside the answer, never within it."""
        self._notes.print(self.words(sentence), style=style, markup=False, highlight=False)

    def tell_trouble(self, advice: Advice) -> None:
        """Show what happened and what to do next."""
        self.tell(advice.happened, style="bold red")
        self.tell(advice.next_step)

    def tell_problem(self, problem: Problem) -> None:
        """Show why the centre refused: first for reception, then for whoever looks after the software."""
        self.tell(problem.staff, style="bold red")
        self.tell(problem.vendor, style="dim")
        for fault in problem.faults:
            self._notes.print(f"  {fault.pointer}: {fault.expected}", markup=False, highlight=False)

    def ask_pin(self, tries_left: int) -> Pin:
        """Ask for the user-authentication PIN.

        Raises:
            MalformedPin: not four digits.
            PinNotEntered: nothing was entered.
        """
        self._warn_of_last_try(tries_left)
        return Pin.parse(self._secret("ask_pin", tries_left))

    def ask_text_secret(self, tries_left: int) -> Pin | NumberB:
        """Ask for the text application's PIN, or the number B instead; with no tries left, for that alone.

        Raises:
            MalformedNumberB: neither four nor fourteen digits.
            PinNotEntered: nothing was entered.
        """
        self._warn_of_last_try(tries_left)
        entered = self._secret("ask_text_secret" if tries_left else "ask_number_b", tries_left)
        if tries_left and len(entered.strip()) == _PIN_DIGITS:
            return Pin.parse(entered)
        return NumberB.parse(entered)

    def ask_line(self, sentence: Sentence) -> str:
        """Ask for a line that need not be hidden."""
        self._notes.print(f"{self.words(sentence)}: ", end="", markup=False, highlight=False)
        return self._source.readline().strip()

    def may_register(self) -> bool:
        """Ask whether to register the card; without a person to ask, it is not."""
        if not self._interactive:
            return False
        self.tell(PROMPTS["may_register"])
        self._notes.print("[y/N] ", end="", markup=False)
        return self._source.readline().strip().casefold() in ("y", "yes", "はい")

    def tell_wrong(self, tries_left: int) -> None:
        """Say that the entry was wrong and how many tries remain."""
        self.tell(ADVICE["pin_wrong"].filled({"tries_left": str(tries_left)}).happened, style="bold red")

    def tell_malformed(self, error: MalformedPin | MalformedNumberB) -> None:
        """Say that the entry does not have the right form and used no try."""
        self.tell_trouble(ADVICE[error.code])

    def _warn_of_last_try(self, tries_left: int) -> None:
        if tries_left == 1:
            self.tell(PROMPTS["last_try"], style="bold yellow")

    def _secret(self, prompt: str, tries_left: int) -> str:
        asked = PROMPTS[prompt]
        filled = Sentence(ja=asked.ja.format(tries_left=tries_left), en=asked.en.format(tries_left=tries_left))
        try:
            if self._interactive:
                entered = getpass.getpass(f"{self.words(filled)}: ")
            else:
                self.tell(filled)
                entered = self._source.readline()
        except EOFError as error:
            raise PinNotEntered from error
        if not entered.strip():
            raise PinNotEntered
        return entered
