# SPDX-License-Identifier: MIT
"""Every case of reactive-framework-test-suite 0.0.2 has a test in the file of its category."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CASES = {
    "propagation": "1 2 3 5 6 7 8 9 10 116 157 187 188 189 190 191 192 204 205 206 207 208",
    "dynamic_dependencies": "12 13 14 16 165 166 193 194 195 196 197 198 199 200",
    "memo_evaluation": "18 19 21 22 23 24 25 26 27 115 145 147 149",
    "equality": "28 34 169 220",
    "effect_lifecycle": ("35 36 38 39 40 42 108 110 111 141 143 178 201 202 203 214 216 217 222"),
    "nested_effects": "43 45 46 47 48 163 164 170 209 210",
    "inner_writes": (
        "50 51 52 53 54 56 57 112 113 114 133 134 135 136 137 138 172 179 180 181 182 183 184 185"
        " 186 212 213 224 225"
    ),
    "cycles": "61 63 64 153 221 223",
    "batching": "66 67 69 70 72 74 119 120 121 122 123 124 125 126 127 128 129 130 131 132",
    "untracked": "75 76 117 118 156 218 219",
    "errors": "84 89 90 91 92 93 154 155 177 211",
    "stale_order": "94 95 97 158 159",
    "memory": "99 160 161 215",
    "behaviours": "15 17 29 30 49 62 86 88 106 107 146 167 173 174 175 176",
}


def numbers(category: str) -> list[int]:
    return [int(number) for number in CASES[category].split()]


@pytest.mark.parametrize("category", CASES)
def test_each_case_of_the_category_has_a_test(category: str) -> None:
    source = Path(__file__).with_name(f"test_{category}.py").read_text(encoding="utf-8")
    found = {int(number) for number in re.findall(r"^def test_(\d{3})_", source, re.MULTILINE)}
    assert found == set(numbers(category))


def test_there_are_163_asserting_and_16_behavioural_cases() -> None:
    asserting = [n for category in CASES if category != "behaviours" for n in numbers(category)]
    assert len(asserting) == len(set(asserting)) == 163
    assert len(numbers("behaviours")) == 16
