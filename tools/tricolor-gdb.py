# SPDX-License-Identifier: MIT
"""gdb commands that look into the heap of a program that uses libtricolor.

    (gdb) source /usr/share/tricolor/tricolor-gdb.py
    (gdb) tricolor object node->left
    (gdb) tricolor span node
    (gdb) tricolor heap
    (gdb) tricolor threads

They read memory and never call into the program, so they work on a core file as on a live process,
and wherever the program was stopped. They need the library's debug information. What `object` and
`span` print is what tri_dump_object() and tri_dump_span() write.
"""

import gdb

WORD = 8
WINDOW_WORDS = 64
LONG_RUN = 4
SLOTS_A_LINE = 64
COLOURS = (("free", "."), ("white", "o"), ("black", "#"))
# Macros of the library, which debug information does not have.
BYTE_MASK = 4  # TRI_TYPE_BYTE_MASK
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
        return Span(self, read_word(self.page_span + page * WORD))

    def spans(self):
        classes = read(self.page_class, self.committed)
        pointers = read(self.page_span, self.committed * WORD)
        page = 0
        while page < self.committed:
            if classes[page] == 0:
                page += 1
                continue
            span = Span(self, words_of(pointers[page * WORD:(page + 1) * WORD])[0])
            yield span
            page += span.pages

    def describe(self, word):
        """What a word is: see tri__put_word()."""
        if not self.holds(word):
            return "not in the heap"
        span = self.span_at(word)
        slot = span.slot_of(word) if span is not None else None
        if slot is None:
            return "in the heap, in no slot"
        base = span.base + slot * span.slot_bytes
        if span.colours()[slot] == 0:
            return "free slot %#x + %d" % (base, word - base)
        return "%s object %#x + %d (%d bytes)" % (span.kind, base, word - base, span.object_bytes())


class Span:
    def __init__(self, heap, start):
        value = structure("tri__span", start)
        self.heap, self.start, self.value = heap, start, value
        self.base = int(value["base"])
        self.pages = int(value["pages"])
        self.slots = int(value["slots"])
        self.slot_bytes = int(value["slot_bytes"])
        self.span_class = int(value["span_class"])
        self.bits = address(value["bits"])
        info = heap.infos[self.span_class]
        self.kind = heap.kinds.get(int(info["kind"]), "unknown")
        self.bits_offset = int(info["bits_offset"])

    def colours(self):
        return read(address(self.value["colours"]), self.slots)

    def slot_of(self, word):
        slot = (word - self.base) // self.slot_bytes
        return slot if slot < self.slots else None

    def object_bytes(self):
        return self.slot_bytes - WORD if self.kind == "footer" else self.slot_bytes

    def type_of(self, base):
        """(Type or None, description) of the object at base."""
        if self.kind == "leaf":
            return type_at(address(global_value("tri_type_bytes").address))
        if self.kind == "bitmap":
            return None, "not recorded"
        if self.kind == "footer":
            return type_at(read_word(base + self.slot_bytes - WORD))
        return type_at(address(self.value["type"]))

    def pointer_words(self, base, found):
        """A function: is this word of the object a pointer to the collector?"""
        if self.kind == "bitmap":
            first = (base - self.base) // WORD
            bits = words_of(read(self.bits, self.pages * 128))
            return lambda word: bits[(first + word) // 64] >> (first + word) % 64 & 1 != 0
        if found is None:
            return lambda word: False
        return found.is_pointer


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


def put_object(heap, span, slot, word):
    base = span.base + slot * span.slot_bytes
    size = span.object_bytes()
    colour = span.colours()[slot]
    found, description = span.type_of(base)
    here, count = (word - base) // WORD, size // WORD
    first = here // WINDOW_WORDS * WINDOW_WORDS if here < count else 0
    shown = min(count - first, WINDOW_WORDS)
    print("%s object %#x: %d bytes in a slot of %d, %s; slot %d of span %#x" %
          (span.kind, base, size, span.slot_bytes,
           COLOURS[colour][0] if colour < len(COLOURS) else "of no colour", slot, span.base))
    print("  type     " + description)
    is_pointer = span.pointer_words(base, found)
    mask = [is_pointer(first + k) for k in range(shown)]
    print("  layout   " + put_bits(mask))
    try:
        put_values(heap, first, words_of(read(base + first * WORD, shown * WORD)), mask, here)
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


def put_cache(cache, span):
    run = cache["front"]["runs"][span.span_class]
    current, end = int(run["current"]), int(run["end"])
    if current >= end:
        return ""
    return ", which has slots %d to %d to hand out yet" % (
        (current - span.base) // span.slot_bytes, (end - span.base) // span.slot_bytes - 1)


def whereabouts(heap, span):
    for mutator in mutators():
        cache = mutator["writer"]["cache"]
        if address(cache["spans"][span.span_class]) == span.start:
            return "the cache of thread %d%s" % (int(mutator["tid"]), put_cache(cache, span))
    central = heap.value["central"][span.span_class]
    for name in ("partial", "full"):
        for side in range(2):
            if stack_holds(central[name][side], span):
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
    if span.bits != 0:
        print("  bitmap   at %#x" % span.bits)
    if span.kind not in ("leaf", "bitmap", "footer"):
        print("  type     " + span.type_of(span.base)[1])
    print("  memory   free slots " + ("may hold old bytes" if span.value["dirty"] else "read zero"))
    print("  in       " + whereabouts(heap, span))
    print("  colours  . free, o white, # black")
    picture = "".join(COLOURS[c][1] if c < len(COLOURS) else "?" for c in colours)
    for row in range(0, len(picture), SLOTS_A_LINE):
        line = picture[row:row + SLOTS_A_LINE]
        print("    %4d  %s" % (row, " ".join(line[i:i + 8] for i in range(0, len(line), 8))))


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


def put_threads():
    states = enumerators("tri__mutator_state", "TRI__")
    barriers = enumerators("tri__barrier_state", "TRI__BARRIER_")
    numbers = {thread.ptid[1]: thread.num for thread in gdb.selected_inferior().threads()}
    print("  %8s %8s  %-10s %-10s %8s %10s" %
          ("tid", "gdb", "state", "barrier", "request", "buffered"))
    count = 0
    for mutator in mutators():
        front = mutator["writer"]["cache"]["front"]
        tid = int(mutator["tid"])
        barrier = barriers.get(int(front["barrier"]), "?")
        buffered = "-" if barrier == "idle" else int(mutator["writer"]["buffer"]["count"])
        print("  %8d %8s  %-10s %-10s %8s %10s" %
              (tid, numbers.get(tid, "-"), states.get(int(mutator["state"]), "?"), barrier,
               "%#x" % int(front["request"]), buffered))
        count += 1
    print("  %d attached" % count)


# ---------------------------------------------------------------------------- commands


def argument_address(argument, command):
    if argument.strip() == "":
        raise gdb.GdbError("tricolor: %s needs an address, or an expression that is one" % command)
    return address(gdb.parse_and_eval(argument))


class Tricolor(gdb.Command):
    """Look into the heap of libtricolor: object ADDRESS, span ADDRESS, heap, threads."""

    def __init__(self):
        super().__init__("tricolor", gdb.COMMAND_DATA, prefix=True)


class Object(gdb.Command):
    """tricolor object ADDRESS: the object that ADDRESS points to or into.
Its kind, colour, slot and layout, and 64 of its words around ADDRESS: * is a word that the
collector takes for a pointer, ~> a value that looks like one and is not followed."""

    def __init__(self):
        super().__init__("tricolor object", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        heap, word = Heap(), argument_address(argument, "object")
        span = heap.span_at(word)
        slot = span.slot_of(word) if span is not None else None
        if slot is None:
            print("%#x: %s" % (word, heap.describe(word)))
        else:
            put_object(heap, span, slot, word)


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


class HeapCommand(gdb.Command):
    """tricolor heap: what the whole heap holds, by kinds of spans.
Slots in threads' caches that are not handed out yet count as white or black."""

    def __init__(self):
        super().__init__("tricolor heap", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        put_heap(Heap())


class Threads(gdb.Command):
    """tricolor threads: the threads that are attached to the heap.
Each one's state, the state of its write barrier, its request word, and how many values its barrier
buffer holds."""

    def __init__(self):
        super().__init__("tricolor threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        Heap()
        put_threads()


for command in (Tricolor, Object, SpanCommand, HeapCommand, Threads):
    command()
