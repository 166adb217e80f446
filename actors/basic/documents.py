"""Numbers with check digits: Brazilian CPF and CNPJ, payment cards. Pure; each takes what a person typed."""

from __future__ import annotations

import re

__all__ = ["card_masked", "cnpj", "cpf"]


def _check_digit(values: list[int], weights: range | list[int]) -> int:
    """The digit modulo 11 that both registries use: 11 minus the rest, 0 in place of 10 and 11."""
    rest = sum(value * weight for value, weight in zip(values, weights, strict=True)) % 11
    return 0 if rest < 2 else 11 - rest


def cpf(text: str) -> str | None:
    """``000.000.000-00`` if the check digits are right, else None."""
    found = re.fullmatch(r"\d{3}[. ]?\d{3}[. ]?\d{3}[-. ]?\d{2}", text.strip(), re.ASCII)
    if found is None:
        return None
    digits = [int(digit) for digit in text if digit.isdecimal()]
    if len(set(digits)) == 1:
        return None  # the check digits fit, but no such number is given out
    if digits[9] != _check_digit(digits[:9], range(10, 1, -1)) or digits[10] != _check_digit(
        digits[:10], range(11, 1, -1)
    ):
        return None
    number = "".join(map(str, digits))
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


def cnpj(text: str) -> str | None:
    """``00.000.000/0000-00`` if the check digits are right, else None; numbers with letters (since 2026) too."""
    number = re.sub(r"[./\- ]", "", text.strip().upper())
    if len(text) > 30 or re.fullmatch(r"[0-9A-Z]{12}\d{2}", number, re.ASCII) is None or len(set(number)) == 1:
        return None
    values = [ord(character) - ord("0") for character in number]  # letters count on from 17
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    if values[12] != _check_digit(values[:12], weights[1:]) or values[13] != _check_digit(values[:13], weights):
        return None
    return f"{number[:2]}.{number[2:5]}.{number[5:8]}/{number[8:12]}-{number[12:]}"


def card_masked(text: str) -> str | None:
    """First and last four digits of a card number if its check digit (Luhn) is right, else None; no more is kept."""
    number = re.sub(r"[ -]", "", text.strip())
    if re.fullmatch(r"\d{13,19}", number, re.ASCII) is None or len(set(number)) == 1:
        return None
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return f"{number[:4]} **** **** {number[-4:]}" if total % 10 == 0 else None
