"""The basic actor: runs the BASIC scripts of bots."""

from actors.basic.actor import BasicActor
from actors.basic.checks import check_package, check_script, compile_script
from actors.basic.limits import Limits
from actors.basic.state import BasicState

__all__ = ["BasicActor", "BasicState", "Limits", "check_package", "check_script", "compile_script"]
