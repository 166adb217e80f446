"""Running scripts: between the session actor and the basic actor."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue

from schemas.conversation import Attachment, Person, Suggestion
from schemas.envelope import Event, Value

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
]

# --- to the basic actor ---------------------------------------------------------------------------------------------


class RunRequested(Event):
    """Run a script of the bot version in the envelope. ``key`` is the session's id; the answers are ``RunAdvanced``."""

    type: Literal["run.requested.v1"] = "run.requested.v1"
    run: UUID
    script: str = Field(description="file stem, compared without case")
    arguments: dict[str, JsonValue] = Field(default_factory=dict, description="by parameter name")
    trigger: Literal["start", "tool", "suggestion", "schedule", "webhook", "event"]
    channel: str
    person: Person
    message: str = Field(default="", description="the text that made the script run, if any")


class AnswerGiven(Event):
    """The person answered the HEAR that *run* waits in."""

    type: Literal["answer.given.v1"] = "answer.given.v1"
    run: UUID
    text: str
    attachments: tuple[Attachment, ...] = ()


class AnswerOverdue(Event):
    """Nobody answered the HEAR that *run* waits in before its deadline."""

    type: Literal["answer.overdue.v1"] = "answer.overdue.v1"
    run: UUID


class RunCancelled(Event):
    """The run is over, wherever it waits; what still comes for it is ignored."""

    type: Literal["run.cancelled.v1"] = "run.cancelled.v1"
    run: UUID
    reason: str


# --- from the basic actor -------------------------------------------------------------------------------------------


class Said(Value):
    """TALK: one message to the person of the session."""

    kind: Literal["said"] = "said"
    text: str
    attachments: tuple[Attachment, ...] = ()


class SuggestionAdded(Value):
    """A quick reply that travels with the next messages until cleared; one that is already there is ignored."""

    kind: Literal["suggestion_added"] = "suggestion_added"
    suggestion: Suggestion
    context: str | None = Field(default=None, description="named context that picking it activates")
    until_answered: bool = Field(default=False, description="a menu's option: it is dropped with the next answer")


class SuggestionsCleared(Value):
    """CLEAR SUGGESTIONS."""

    kind: Literal["suggestions_cleared"] = "suggestions_cleared"


class ContextSet(Value):
    """SET CONTEXT; *name* is '' for the un-named one."""

    kind: Literal["context_set"] = "context_set"
    name: str = ""
    text: str


class ContextCleared(Value):
    """CLEAR CONTEXT; without a name, all of them."""

    kind: Literal["context_cleared"] = "context_cleared"
    name: str | None = None


class SystemPromptSet(Value):
    """BEGIN SYSTEM PROMPT."""

    kind: Literal["system_prompt_set"] = "system_prompt_set"
    text: str


Act = Annotated[
    Said | SuggestionAdded | SuggestionsCleared | ContextSet | ContextCleared | SystemPromptSet,
    Field(discriminator="kind"),
]


class AwaitsAnswer(Value):
    """The run waits in HEAR: the next message of the person is its answer."""

    kind: Literal["awaits_answer"] = "awaits_answer"
    deadline_at: AwareDatetime | None = None
    secret: bool = Field(default=False, description="the answer is kept out of transcript, history and logs")


class AwaitsWorld(Value):
    """The run waits for something that is not the person: a timer, a service, another script."""

    kind: Literal["awaits_world"] = "awaits_world"
    what: str = Field(description="for people: 'timer', 'llm' …")


class Ended(Value):
    """The run is over. ``result`` is what it RETURNed, None without RETURN."""

    kind: Literal["ended"] = "ended"
    result: JsonValue = None


class Failed(Value):
    """The run is over because of an error nobody handled; the person hears an apology."""

    kind: Literal["failed"] = "failed"
    code: str = Field(description="E_TYPE, E_LIMIT …")
    message: str
    script: str
    line: int = Field(ge=0, description="1-based; 0 when no line is to blame")
    column: int = Field(default=0, ge=0, description="1-based, in characters; 0 when not known")


Outcome = Annotated[AwaitsAnswer | AwaitsWorld | Ended | Failed, Field(discriminator="kind")]


class RunAdvanced(Event):
    """A run went on to its next suspension point or its end: what it did on the way, in order, and where it stands."""

    type: Literal["run.advanced.v1"] = "run.advanced.v1"
    run: UUID
    script: str
    acts: tuple[Act, ...] = ()
    outcome: Outcome
