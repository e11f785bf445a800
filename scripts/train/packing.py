"""Packs documents into rows of one length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Iterable

import numpy
from training_rows import Tokens


def pack(documents: Iterable[Tokens], max_length: int) -> list[Tokens]:
    """
    Rows of whole documents with their lengths (`seq_lengths`), by best fit decreasing. A document longer than a row is
    cut into pieces that count as documents: no token is lost, as with the packing of v0.3, but none sees another document.
    """
    pieces = [
        {name: values[start : start + max_length] for name, values in document.items()}
        for document in documents
        for start in range(0, len(document["input_ids"]), max_length)
    ]
    # a piece in which no token counts teaches nothing
    pieces = [piece for piece in pieces if "labels" not in piece or (piece["labels"] != -100).any()]
    order = sorted(range(len(pieces)), key=lambda index: -len(pieces[index]["input_ids"]))
    bins: list[list[int]] = []
    # bins by free room, and the rooms of which there is a bin as bits of one number: the best fit is the lowest bit from there
    by_room: list[list[int]] = [[] for _ in range(max_length + 1)]
    rooms = 0
    for index in order:
        length = len(pieces[index]["input_ids"])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            target = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
        else:
            room, target = max_length, len(bins)
            bins.append([])
        bins[target].append(index)
        if room > length:
            by_room[room - length].append(target)
            rooms |= 1 << (room - length)
    return [
        {
            **{name: numpy.concatenate([pieces[index][name] for index in members]) for name in pieces[members[0]]},
            "seq_lengths": numpy.asarray([len(pieces[index]["input_ids"]) for index in members], dtype=numpy.int32),
        }
        for members in bins
    ]
