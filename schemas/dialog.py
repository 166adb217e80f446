"""Running scripts: between the session actor and the basic actor."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, field

from schemas.conversation import Attachment, Person, Suggestion
from schemas.envelope import Event, JsonValue, Moment, Value

__all__ = [
    "Act",
    "AnswerGiven",
    "AnswerOverdue",
    "AwaitsAnswer",
    "AwaitsWorld",
    "ContextCleared",
    "ContextSet",
    "Ended",
    "Failed",
    "Outcome",
    "RunAdvanced",
    "RunCancelled",
    "RunRequested",
    "Said",
    "SuggestionAdded",
    "SuggestionsCleared",
    "SystemPromptSet",
    "TranscriptWritten",
]

# --- to the basic actor ---------------------------------------------------------------------------------------------


class RunRequested(Event, tag="run.requested.v1"):
    """Run a script of the bot version in the envelope. ``key`` is the session's id; the answers are ``RunAdvanced``."""

    run: UUID
    script: Annotated[str, Meta(description="file stem, compared without case")]
    arguments: Annotated[dict[str, JsonValue], Meta(description="by parameter name")] = field(default_factory=dict)
    trigger: Literal["start", "tool", "suggestion", "schedule", "webhook", "event"]
    channel: str
    person: Person
    message: Annotated[str, Meta(description="the text that made the script run, if any")] = ""


class AnswerGiven(Event, tag="answer.given.v1"):
    """The person answered the HEAR that *run* waits in."""

    run: UUID
    text: str
    attachments: tuple[Attachment, ...] = ()


class AnswerOverdue(Event, tag="answer.overdue.v1"):
    """Nobody answered the HEAR that *run* waits in before its deadline."""

    run: UUID


class TranscriptWritten(Event, tag="transcript.written.v1"):
    """What *run* did before it asked for the history is in the transcript, which goes up to *seq* now."""

    run: UUID
    seq: Annotated[int, Meta(ge=0, description="0 while nothing has been said")]


class RunCancelled(Event, tag="run.cancelled.v1"):
    """The run is over, wherever it waits; what still comes for it is ignored."""

    run: UUID
    reason: str


# --- from the basic actor -------------------------------------------------------------------------------------------


class _Kind(Value, tag_field="kind"):
    """One of several things that may stand in one place; *kind* says which."""

    kind: ClassVar[str]


class Said(_Kind, tag="said"):
    """TALK: one message to the person of the session."""

    text: str
    attachments: tuple[Attachment, ...] = ()


class SuggestionAdded(_Kind, tag="suggestion_added"):
    """A quick reply that travels with the next messages until cleared; one that is already there is ignored."""

    suggestion: Suggestion
    context: Annotated[str | None, Meta(description="named context that picking it activates")] = None
    until_answered: Annotated[bool, Meta(description="a menu's option: it is dropped with the next answer")] = False


class SuggestionsCleared(_Kind, tag="suggestions_cleared"):
    """CLEAR SUGGESTIONS."""


class ContextSet(_Kind, tag="context_set"):
    """SET CONTEXT; *name* is '' for the un-named one."""

    name: str = ""
    text: str


class ContextCleared(_Kind, tag="context_cleared"):
    """CLEAR CONTEXT; without a name, all of them."""

    name: str | None = None


class SystemPromptSet(_Kind, tag="system_prompt_set"):
    """BEGIN SYSTEM PROMPT."""

    text: str


Act = Said | SuggestionAdded | SuggestionsCleared | ContextSet | ContextCleared | SystemPromptSet


class AwaitsAnswer(_Kind, tag="awaits_answer"):
    """The run waits in HEAR: the next message of the person is its answer."""

    deadline_at: Moment | None = None
    secret: Annotated[bool, Meta(description="the answer is kept out of transcript, history and logs")] = False


class AwaitsWorld(_Kind, tag="awaits_world"):
    """The run waits for something that is not the person: a timer, a service, the transcript to be written."""

    what: Annotated[str, Meta(description="'timer', 'llm' …; 'history' is answered with TranscriptWritten")]


class Ended(_Kind, tag="ended"):
    """The run is over. ``result`` is what it RETURNed, None without RETURN."""

    result: JsonValue = None


class Failed(_Kind, tag="failed"):
    """The run is over because of an error nobody handled; the person hears an apology."""

    code: Annotated[str, Meta(description="E_TYPE, E_LIMIT …")]
    message: str
    script: str
    line: Annotated[int, Meta(ge=0, description="1-based; 0 when no line is to blame")]
    column: Annotated[int, Meta(ge=0, description="1-based, in characters; 0 when not known")] = 0


Outcome = AwaitsAnswer | AwaitsWorld | Ended | Failed


class RunAdvanced(Event, tag="run.advanced.v1"):
    """A run went on to its next suspension point or its end: what it did on the way, in order, and where it stands."""

    run: UUID
    script: str
    acts: tuple[Act, ...] = ()
    outcome: Outcome
