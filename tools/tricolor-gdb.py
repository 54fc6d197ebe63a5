# SPDX-License-Identifier: MIT
"""gdb commands that look into the heap of a program that uses libtricolor.

    (gdb) source /usr/share/tricolor/tricolor-gdb.py
    (gdb) tricolor object node->left
    (gdb) tricolor span node
    (gdb) tricolor iterator it
    (gdb) tricolor heap
    (gdb) tricolor threads

They read memory and never call into the program, so they work on a core file as on a live process,
and wherever the program was stopped. They need the library's debug information. What `object`,
`span` and `iterator` print is what tri_dump_object(), tri_dump_span() and
tri__dump_type_pointers() write.
"""

import itertools

import gdb

WORD = 8
WINDOW_WORDS = 64
LONG_RUN = 4
SLOTS_A_LINE = 64
LEFT_SHOWN = 32
LEFT_A_LINE = 4
COLOURS = (("free", "."), ("white", "o"), ("black", "#"))
# Macros of the library, which debug information does not have.
BYTE_MASK = 4  # TRI_TYPE_BYTE_MASK
GC_PROGRAM = 16  # TRI_TYPE_GC_PROGRAM
# TRI__REQUEST_ASKED and so on.
REQUESTS = ((1, "asked"), (2, "aside"), (0x100, "filter"), (0x200, "deferred"), (0x400, "held"))
PAGE_BYTES = 8192  # TRI__PAGE_BYTES
CHUNK_PAGES = 512  # TRI__CHUNK_PAGES


# ---------------------------------------------------------------------------- the program


def address(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def global_value(name):
    """A variable of the library, or a message that says what is missing."""
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is not None:
        return symbol.value()
    try:
        gdb.parse_and_eval("(char)" + name)
    except gdb.error:
        raise gdb.GdbError(
            "tricolor: there is no '%s' here: the program does not use libtricolor, has not been "
            "started, or the library is stripped" % name
        )
    raise gdb.GdbError(
        "tricolor: libtricolor has no debug information: use a library that was built with -g, "
        "or install the file with its symbols"
    )


def static_of(file, name):
    """A static variable of one file of the library."""
    for symbol in gdb.lookup_static_symbols(name):
        if symbol.symtab.filename.endswith(file):
            return symbol.value()
    raise gdb.GdbError("tricolor: there is no '%s' of %s: is this another version?" % (name, file))


def enumerators(enum, prefix):
    """Value -> name in small letters, as the library itself has them."""
    fields = gdb.lookup_type("enum " + enum).fields()
    return {f.enumval: f.name[len(prefix):].lower() for f in fields if f.name.startswith(prefix)}


def read(start, size):
    return bytes(gdb.selected_inferior().read_memory(start, size))


def read_word(start):
    return int.from_bytes(read(start, WORD), "little")


def words_of(data):
    return [int.from_bytes(data[i:i + WORD], "little") for i in range(0, len(data), WORD)]


def structure(name, start):
    return gdb.Value(start).cast(gdb.lookup_type("struct " + name).pointer()).dereference()


# ----------------------------------------------------------------------------- types


def program_bits(code):
    """What a tri_gc_program writes: see tricolor/gc_program.h."""
    bits, at = [], 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte, at = code[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while True:
        head = number()
        n = head >> 1
        if head == 0:
            return bits
        if head & 1:
            bits.extend(bits[-n:] * number())
        else:
            bits.extend(code[at + i // 8] >> i % 8 & 1 != 0 for i in range(n))
            at += (n + 7) // 8


class Type:
    """A tri_type, read once; `tail` is a Type or None."""

    def __init__(self, start):
        value = gdb.Value(start).cast(gdb.lookup_type("tri_type").pointer()).dereference()
        self.size = int(value["size"])
        self.ptr_bytes = int(value["ptr_bytes"])
        self.flags = int(value["flags"])
        self.gc_data = address(value["gc_data"])
        self.name = value["name"].string() if address(value["name"]) != 0 else None
        tail = address(value["tail"])
        self.tail = Type(tail) if tail != 0 else None
        self.mask = self.read_mask() if self.ptr_bytes != 0 else []

    def read_mask(self):
        words = self.ptr_bytes // WORD
        if self.flags & GC_PROGRAM:
            return program_bits(read(read_word(self.gc_data), read_word(self.gc_data + WORD)))
        if self.flags & BYTE_MASK:
            return [byte != 0 for byte in read(self.gc_data, words)]
        bits = words_of(read(self.gc_data, (words + 63) // 64 * WORD))
        return [bits[i // 64] >> i % 64 & 1 != 0 for i in range(words)]

    def is_pointer(self, word):
        """The definition: see tri__layout_oracle()."""
        offset, element = word * WORD, self
        if self.tail is not None and offset >= self.size:
            offset, element = offset - self.size, self.tail
        if element.ptr_bytes == 0:
            return False
        offset %= element.size
        return offset < element.ptr_bytes and element.mask[offset // WORD]

    def description(self):
        name = "'%s'" % self.name if self.name is not None else "?"
        tail = ""
        if self.tail is not None:
            tail_name = "'%s'" % self.tail.name if self.tail.name is not None else "?"
            tail = "; tail of %s, %s" % (tail_name, self.tail.extent())
        return "%s (%s%s)" % (name, self.extent(), tail)

    def extent(self):
        if self.ptr_bytes == 0:
            return "size %d, no pointers" % self.size
        return "size %d, pointers in the first %d bytes" % (self.size, self.ptr_bytes)


def type_at(start):
    """The Type, and what to say of it: ("none", None) for NULL."""
    if start == 0:
        return None, "none"
    try:
        found = Type(start)
    except (gdb.MemoryError, UnicodeDecodeError):
        return None, "unreadable, at %#x" % start
    return found, found.description()


# ----------------------------------------------------------------------------- the heap


class Heap:
    """The page table and the classes. A new one for each command: the program may have run."""

    def __init__(self):
        self.value = global_value("tri__heap")
        self.base = int(self.value["base"])
        self.bytes = int(self.value["bytes"])
        if self.bytes == 0:
            raise gdb.GdbError("tricolor: there is no heap: tri_init() has not been called, or "
                               "tri_shutdown() has")
        self.infos = global_value("tri__class_info")
        self.kinds = enumerators("tri__kind", "TRI__KIND_")
        self.page_class = address(self.value["page_class"])
        self.page_span = address(self.value["page_span"])
        self.committed = int(self.value["pages"]["next_chunk"]) * CHUNK_PAGES

    def holds(self, word):
        return self.base <= word < self.base + self.bytes

    def span_at(self, word):
        """The span that the word points into, or None."""
        page = (word - self.base) // PAGE_BYTES
        if not self.holds(word) or page >= self.committed or read(self.page_class + page, 1)[0] == 0:
            return None
        return span_of(self, read_word(self.page_span + page * WORD))

    def spans(self):
        classes = read(self.page_class, self.committed)
        pointers = read(self.page_span, self.committed * WORD)
        page = 0
        while page < self.committed:
            if classes[page] == 0:
                page += 1
                continue
            span = span_of(self, words_of(pointers[page * WORD:(page + 1) * WORD])[0])
            yield span
            page += span.pages

    def describe(self, word):
        """What a word is: see tri__put_word()."""
        if not self.holds(word):
            return "not in the heap"
        span = self.span_at(word)
        if span is None or not span.has_slot(word):
            return "in the heap, in no slot"
        found = span.object_at(word)
        if found is None:
            return span.missed(word)
        if found.colour == 0:
            return "free slot %#x + %d" % (found.base, word - found.base)
        return "%s object %#x + %d (%d bytes)" % (span.kind, found.base, word - found.base,
                                                  found.bytes)


class Span:
    """Slots of one size. Kinds that differ from that are classes below."""

    def __init__(self, heap, start, value, kind):
        self.heap, self.start, self.value, self.kind = heap, start, value, kind
        self.base = int(value["base"])
        self.pages = int(value["pages"])
        self.slots = int(value["slots"])
        self.slot_bytes = int(value["slot_bytes"])
        self.span_class = int(value["span_class"])
        self.bits = address(value["bits"])

    def colours(self):
        return read(address(self.value["colours"]), self.slots)

    def has_slot(self, word):
        return (word - self.base) // self.slot_bytes < self.slots

    def object_at(self, word):
        slot = (word - self.base) // self.slot_bytes
        return Object(self, self.base + slot * self.slot_bytes, self.slot_bytes - self.footer_bytes(),
                      self.colours()[slot])

    def footer_bytes(self):
        return 0

    def heading(self, found):
        colour = COLOURS[found.colour][0] if found.colour < len(COLOURS) else "of no colour"
        return "%d bytes in a slot of %d, %s; slot %d of span %#x" % (
            found.bytes, self.slot_bytes, colour, (found.base - self.base) // self.slot_bytes,
            self.base)

    def type_of(self, base):
        """(Type or None, description) of the object at base."""
        return type_at(address(self.value["type"]))

    def pointer_words(self, base):
        """A function: is this word of the object a pointer to the collector?"""
        found = self.type_of(base)[0]
        return found.is_pointer if found is not None else lambda word: False

    def details(self):
        """Lines of `tricolor span` that only this kind has."""
        return ["type     " + self.type_of(self.base)[1]]


class LeafSpan(Span):
    def type_of(self, base):
        return type_at(address(global_value("tri_type_bytes").address))

    def details(self):
        return []


class BitmapSpan(Span):
    def type_of(self, base):
        return None, "not recorded"

    def pointer_words(self, base):
        first = (base - self.base) // WORD
        bits = words_of(read(self.bits, PAGE_BYTES // WORD // 8))
        return lambda word: bits[(first + word) // 64] >> (first + word) % 64 & 1 != 0

    def details(self):
        return ["bitmap   at %#x" % self.bits]


class FooterSpan(Span):
    def footer_bytes(self):
        return WORD

    def type_of(self, base):
        return type_at(read_word(base + self.slot_bytes - WORD))

    def details(self):
        return []


class TypedSpan(Span):
    """All of one type, one element in a slot."""

    def pointer_words(self, base):
        found = self.type_of(base)[0]
        if found is None:
            return lambda word: False
        return lambda word: word * WORD < found.size and found.is_pointer(word)


class ArenaSpan(Span):
    """A chunk: values one after the other, whose types and lengths stand in a log."""

    STATES = ("not in use", "live", "freed")

    def __init__(self, heap, start, value, kind):
        super().__init__(heap, start, value, kind)
        self.chunk = structure("tri__arena_chunk", start)
        self.used = int(self.chunk["used"])
        self.arena = "arena %d (%s)" % (int(self.chunk["arena"]),
                                        self.STATES[int(self.chunk["state"])])

    def run_at(self, word):
        """The entry of the log that the word lies under."""
        log, low, high = self.chunk["log"], 0, int(self.chunk["runs"])
        while high - low > 1:
            middle = (low + high) // 2
            if int(log[middle]["offset"]) <= word - self.base:
                low = middle
            else:
                high = middle
        return log[low]

    def object_at(self, word):
        if word - self.base >= self.used:
            return None
        run = self.run_at(word)
        if address(run["type"]) == 0:
            return None
        found, count = Type(address(run["type"])), int(run["count"])
        size = found.size + count * found.tail.size if found.tail else count * found.size
        align = WORD if size <= WORD else 2 * WORD
        stride = max((size + align - 1) // align * align, WORD)
        first = self.base + int(run["offset"])
        return Object(self, first + (word - first) // stride * stride,
                      max((size + WORD - 1) // WORD * WORD, WORD), 2)

    def missed(self, word):
        return "in no value of %s, byte %d of its memory" % (
            self.arena, int(self.chunk["first"]) + word - self.base)

    def heading(self, found):
        return "%d bytes of %s, in the chunk at %#x" % (found.bytes, self.arena, self.base)

    def type_of(self, base):
        return type_at(address(self.run_at(base)["type"]))

    def details(self):
        return ["%s: %d of %d bytes used, %d entries in its log" %
                (self.arena.replace("arena", "arena   ", 1), self.used, int(self.chunk["bytes"]),
                 int(self.chunk["runs"])),
                "bitmap   at %#x" % address(self.chunk["bits"])]


KINDS = {"leaf": LeafSpan, "bitmap": BitmapSpan, "footer": FooterSpan, "large": Span,
         "typed": TypedSpan, "arena": ArenaSpan}


def span_of(heap, start):
    value = structure("tri__span", start)
    kind = heap.kinds.get(int(heap.infos[int(value["span_class"])]["kind"]), "unknown")
    return KINDS.get(kind, Span)(heap, start, value, kind)


class Object:
    """An object, or a slot; an arena's value."""

    def __init__(self, span, base, size, colour):
        self.span, self.base, self.bytes, self.colour = span, base, size, colour


# ----------------------------------------------------------------------------- objects


def put_bits(mask):
    text = "".join("1" if bit else "0" for bit in mask)
    return " ".join(text[i:i + 8] for i in range(0, len(text), 8))


def put_value(heap, index, value, pointer, here):
    target = ""
    if heap.holds(value) or (pointer and value != 0):
        target = "  %s %s" % ("->" if pointer else "~>", heap.describe(value))
    print("  %s %6d %s 0x%016x%s" % (">" if here else " ", index, "*" if pointer else ".", value,
                                     target))


def put_values(heap, first, values, mask, here):
    k = 0
    while k < len(values):
        end = k
        while end < len(values) and values[end] == 0:
            end += 1
        if end - k >= LONG_RUN:
            print("    %6d   to %d: zero" % (first + k, first + end - 1))
            k = end
        else:
            put_value(heap, first + k, values[k], mask[k], first + k == here)
            k += 1


def put_object(found, word):
    span, base = found.span, found.base
    here, count = (word - base) // WORD, found.bytes // WORD
    first = here // WINDOW_WORDS * WINDOW_WORDS if here < count else 0
    shown = min(count - first, WINDOW_WORDS)
    print("%s object %#x: %s" % (span.kind, base, span.heading(found)))
    print("  type     " + span.type_of(base)[1])
    is_pointer = span.pointer_words(base)
    mask = [is_pointer(first + k) for k in range(shown)]
    print("  layout   " + put_bits(mask))
    try:
        put_values(span.heap, first, words_of(read(base + first * WORD, shown * WORD)), mask, here)
    except gdb.MemoryError:
        print("    its memory cannot be read")
    if shown < count:
        print("    words %d to %d of %d" % (first, first + shown - 1, count))


# ------------------------------------------------------------------------------- spans


def stack_holds(stack, span):
    entry, steps = address(stack["head"]), 0
    while entry != 0 and steps < 1000000:
        if entry == span.start:
            return True
        entry, steps = read_word(entry), steps + 1
    return False


def put_cache(cache, number, span):
    run = cache["front"]["runs"][number]
    current, end = int(run["current"]), int(run["end"])
    if current >= end:
        return ""
    return ", which has slots %d to %d to hand out yet" % (
        (current - span.base) // span.slot_bytes, (end - span.base) // span.slot_bytes - 1)


def whereabouts(heap, span):
    if span.kind == "arena":
        return "no list: it is an arena's"
    for mutator in mutators():
        cache = mutator["writer"]["cache"]
        spans = cache["spans"]
        held = words_of(read(address(spans.address), spans.type.sizeof))
        if span.start in held:
            return "the cache of thread %d%s" % (
                int(mutator["tid"]), put_cache(cache, held.index(span.start), span))
    central = heap.value["central"]
    for i in range(central.type.range()[1] + 1):
        for name in ("partial", "full"):
            for side in range(2):
                if stack_holds(central[i][name][side], span):
                    return "the %s list of side %d" % (name, side)
    return "no list: being swept, or handed over"


def put_span(heap, span):
    colours = span.colours()
    counts = tuple(colours.count(colour) for colour in range(3))
    print("%s span %#x: span class %d, %d page%s, descriptor %#x" %
          (span.kind, span.base, span.span_class, span.pages, "" if span.pages == 1 else "s",
           span.start))
    print("  slots    %d of %d bytes: %d free, %d white, %d black; the next run from %d on" %
          ((span.slots, span.slot_bytes) + counts + (int(span.value["next_slot"]),)))
    for line in span.details():
        print("  " + line)
    print("  memory   free slots " + ("may hold old bytes" if span.value["dirty"] else "read zero"))
    print("  in       " + whereabouts(heap, span))
    print("  colours  . free, o white, # black")
    picture = "".join(COLOURS[c][1] if c < len(COLOURS) else "?" for c in colours)
    for row in range(0, len(picture), SLOTS_A_LINE):
        line = picture[row:row + SLOTS_A_LINE]
        print("    %4d  %s" % (row, " ".join(line[i:i + 8] for i in range(0, len(line), 8))))


# ---------------------------------------------------------------------------- iterators


class Iterator:
    """A struct tri__type_pointers: 64 words' bits, and what follows them."""

    def __init__(self, value):
        for name in ("mask", "address", "limit", "element", "pattern", "window"):
            setattr(self, name, int(value[name]))
        self.type, self.type_name = type_at(address(value["type"]))

    def state(self):
        if self.type is None:
            return "at its end" if self.mask == 0 else "in its last window"
        return "over elements of up to 64 words" if self.window != 0 else "over larger elements"

    def window_end(self):
        """A window of a large element, or of a fixed part, ends where that does."""
        if self.window != 0:
            return self.address + self.window
        return min(self.address + WINDOW_WORDS * WORD, self.element + self.type.size)

    def left(self):
        """The words that it has still to visit: those of its window, and what its type says from
        there on."""
        for bit in range(WINDOW_WORDS):
            if self.mask >> bit & 1:
                yield self.address + bit * WORD
        if self.type is None:
            return
        for word in range(self.window_end(), self.limit, WORD):
            if self.type.is_pointer((word - self.element) // WORD):
                yield word


def bits_of(word):
    return put_bits(word >> bit & 1 for bit in range(WINDOW_WORDS))


def put_left(slots):
    shown = list(itertools.islice(slots, LEFT_SHOWN + 1))
    rows = [" ".join("%#x" % slot for slot in shown[i:min(i + LEFT_A_LINE, LEFT_SHOWN)])
            for i in range(0, min(len(shown), LEFT_SHOWN), LEFT_A_LINE)]
    print("    left     " + ("\n             ".join(rows) or "nothing") +
          (" and more" if len(shown) > LEFT_SHOWN else ""))


def put_iterator(it):
    print("  iterator " + it.state())
    print("    type     " + it.type_name)
    for name in ("element", "address", "limit"):
        value = getattr(it, name)
        print("    %-8s %s" % (name, "%#x" % value if value != 0 else "0"))
    print("    mask     " + bits_of(it.mask))
    if it.window != 0:
        print("    pattern  %s in windows of %d bytes" % (bits_of(it.pattern), it.window))
    put_left(it.left())


# -------------------------------------------------------------------------------- heap


def put_heap(heap):
    pages = heap.value["pages"]
    print("heap %#x: %d GiB reserved, %.1f MiB committed, %.1f MiB of pages in use" %
          (heap.base, heap.bytes >> 30, int(pages["committed_pages"]) / 128,
           int(pages["used_pages"]) / 128))
    print("  %-8s %8s %10s %10s %10s %10s %10s" %
          ("kind", "spans", "slots", "free", "white", "black", "KiB taken"))
    sums = {}
    for span in heap.spans():
        colours = span.colours()
        row = sums.setdefault(span.kind, [0] * 6)
        free = colours.count(0)
        more = (1, span.slots, free, colours.count(1), colours.count(2),
                (span.slots - free) * span.slot_bytes)
        sums[span.kind] = [a + b for a, b in zip(row, more)]
    for kind in sorted(sums):
        row = sums[kind]
        print("  %-8s %8d %10d %10d %10d %10d %10d" % ((kind,) + tuple(row[:5]) + (row[5] >> 10,)))


# ----------------------------------------------------------------------------- threads


def mutators():
    members = static_of("registry.c", "members").dereference()
    for i in range(int(members["count"])):
        start = address(members["mutators"][i])
        if start != 0:
            yield structure("tri__mutator", start)


def put_request(request):
    """The bits of a request word by name, what is not known as a number."""
    names = [name for bit, name in REQUESTS if request & bit]
    rest = request & ~sum(bit for bit, _ in REQUESTS)
    if rest != 0:
        names.append("%#x" % rest)
    return "+".join(names) or "-"


def put_threads():
    states = enumerators("tri__mutator_state", "TRI__")
    barriers = enumerators("tri__barrier_state", "TRI__BARRIER_")
    numbers = {thread.ptid[1]: thread.num for thread in gdb.selected_inferior().threads()}
    print("  %8s %8s  %-10s %-10s %-10s %10s" %
          ("tid", "gdb", "state", "barrier", "request", "buffered"))
    count = 0
    for mutator in mutators():
        front = mutator["writer"]["cache"]["front"]
        tid = int(mutator["tid"])
        barrier = barriers.get(int(front["barrier"]), "?")
        buffered = "-" if barrier == "idle" else int(mutator["writer"]["buffer"]["count"])
        print("  %8d %8s  %-10s %-10s %-10s %10s" %
              (tid, numbers.get(tid, "-"), states.get(int(mutator["state"]), "?"), barrier,
               put_request(int(front["request"])), buffered))
        count += 1
    print("  %d attached" % count)


# ---------------------------------------------------------------------------- commands


def argument_address(argument, command):
    if argument.strip() == "":
        raise gdb.GdbError("tricolor: %s needs an address, or an expression that is one" % command)
    return address(gdb.parse_and_eval(argument))


class TricolorCommand(gdb.Command):
    """Look into the heap of libtricolor: object ADDRESS, span ADDRESS, iterator IT, heap, threads."""

    def __init__(self):
        super().__init__("tricolor", gdb.COMMAND_DATA, prefix=True)


class ObjectCommand(gdb.Command):
    """tricolor object ADDRESS: the object that ADDRESS points to or into.
Its kind, colour, slot and layout, and 64 of its words around ADDRESS: * is a word that the
collector takes for a pointer, ~> a value that looks like one and is not followed."""

    def __init__(self):
        super().__init__("tricolor object", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        heap, word = Heap(), argument_address(argument, "object")
        span = heap.span_at(word)
        found = span.object_at(word) if span is not None and span.has_slot(word) else None
        if found is None:
            print("%#x: %s" % (word, heap.describe(word)))
        else:
            put_object(found, word)


class SpanCommand(gdb.Command):
    """tricolor span ADDRESS: the span that ADDRESS points into.
Its kind and class, who holds it, and its slots by colour, a character a slot."""

    def __init__(self):
        super().__init__("tricolor span", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        heap, word = Heap(), argument_address(argument, "span")
        span = heap.span_at(word)
        if span is None:
            print("%#x: in no span" % word)
        else:
            put_span(heap, span)


class IteratorCommand(gdb.Command):
    """tricolor iterator IT: where a type-pointers iterator stands.
IT is a struct tri__type_pointers, or a pointer to one. The 64 words' bits that it holds, what it
walks, and the pointer words that it has still to visit."""

    def __init__(self):
        super().__init__("tricolor iterator", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if argument.strip() == "":
            raise gdb.GdbError("tricolor: iterator needs an iterator, or a pointer to one")
        value = gdb.parse_and_eval(argument)
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            value = value.dereference()
        if value.type.strip_typedefs().unqualified().tag != "tri__type_pointers":
            raise gdb.GdbError("tricolor: %s is no struct tri__type_pointers, nor a pointer to one" %
                               argument)
        put_iterator(Iterator(value))


class HeapCommand(gdb.Command):
    """tricolor heap: what the whole heap holds, by kinds of spans.
Slots in threads' caches that are not handed out yet count as white or black."""

    def __init__(self):
        super().__init__("tricolor heap", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        put_heap(Heap())


class ThreadsCommand(gdb.Command):
    """tricolor threads: the threads that are attached to the heap.
Each one's state, the state of its write barrier, its request word, and how many values its barrier
buffer holds."""

    def __init__(self):
        super().__init__("tricolor threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        Heap()
        put_threads()


for command in (TricolorCommand, ObjectCommand, SpanCommand, IteratorCommand, HeapCommand,
                ThreadsCommand):
    command()

# The collector's signal, unless the program has chosen another one; it comes all the time.
gdb.execute("handle SIGURG nostop noprint pass", to_string=True)
