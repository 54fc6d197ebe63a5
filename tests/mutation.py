# SPDX-License-Identifier: MIT
"""What the scripts mutate_... have in common: mutants, the two ways to build one, and the table that
is printed. A mutant is one place of the sources changed; a test must fail with it."""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import NamedTuple

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Mutant(NamedTuple):
    path: str
    old: str
    new: str
    tests: list       # the most likely one first
    reason: str = ''  # why none of them fails, if so
    what: str = ''    # it does, in words


def read(path):
    with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def mutated(mutant):
    return read(mutant.path).replace(mutant.old, mutant.new)


def check(mutants):
    """Each mutant changes one place. Returns how many do not."""
    errors = 0
    for number, mutant in enumerate(mutants):
        count = read(mutant.path).count(mutant.old)
        if count != 1:
            print(f'mutant {number}: {mutant.path} has "{mutant.old}" {count} times, not once')
            errors += 1
        if mutant.old == mutant.new:
            print(f'mutant {number} is the original')
            errors += 1
    argued = sum(mutant.reason != '' for mutant in mutants)
    print(f'{len(mutants)} mutants, {argued} of them argued')
    return errors


# ---- running one program ----

# Check kills the test that is running when it is asked to end, and could not if it was killed. It sends
# the signal on to its process group: so it has one of its own.
def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def failed_case(text):
    """Check's name of the first test that failed, if it says so."""
    found = re.search(r':[FE]:[^:\n]*:(\w+):', text)
    return ': ' + found.group(1) if found else ''


def failure(name, command, seconds, environment, verbose):
    """Runs a program. Returns what failed, or None."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', env=dict(os.environ, **environment),
                          start_new_session=True) as process:
        try:
            text = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            stop(process)
            return name + ' (never ends)'
    if verbose:
        print(text)
    if process.returncode in (0, 77):
        return None
    ending = ' (never ends)' if 'Test timeout expired' in text else ''
    return name + failed_case(text) + ending


# ---- first way: the mutant's objects before those of a build's library ----

def make_variable(build, name):
    with open(os.path.join(build, 'Makefile'), encoding='utf-8') as file:
        found = re.search(rf'^{name} = ?(.*)$', file.read(), re.MULTILINE)
    return found.group(1).split() if found else []


class ObjectBuilder:
    """Compiles what a mutant changes and its tests in a folder of its own. `rebuilt`: the files that
    see a header that is changed; None: the one that is changed."""

    def __init__(self, build, flags, rebuilt=None, arguments=()):
        self.archive = os.path.join(build, '.libs', 'libtricolor_internal.a')
        self.compiler = make_variable(build, 'CC')
        self.flags = ['-std=gnu11', '-pthread', '-g', '-w', '-D_GNU_SOURCE='] + flags
        for name in ('DEBUG_CPPFLAGS', 'URCU_CFLAGS', 'CK_CFLAGS', 'CHECK_CFLAGS'):
            self.flags += make_variable(build, name)
        if os.uname().machine == 'x86_64':
            self.flags.append('-mcx16')
        self.libraries = make_variable(build, 'CHECK_LIBS') + make_variable(build, 'URCU_LIBS')
        self.rebuilt = rebuilt
        self.arguments = list(arguments)

    def compile(self, folder, path):
        changed = os.path.join(folder, path)
        source = changed if os.path.exists(changed) else os.path.join(SOURCE, path)
        output = os.path.join(folder, path.replace('/', '_') + '.o')
        roots = [os.path.join(folder, part) for part in ('include', 'runtime')]
        roots += [os.path.join(SOURCE, part) for part in ('include', 'runtime', '', 'tests')]
        subprocess.run(self.compiler + self.flags + ['-I' + root for root in roots] +
                       ['-c', '-o', output, source], check=True)
        return output

    def link(self, folder, test, objects):
        program = os.path.join(folder, test)
        subprocess.run(self.compiler + self.flags + ['-o', program] +
                       [self.compile(folder, f'tests/{test}.c')] + objects +
                       [self.archive, self.archive] + self.libraries, check=True)
        return program

    def sources(self, mutant):
        if self.rebuilt is not None:
            return self.rebuilt
        return [mutant.path] if mutant.path.endswith('.c') else []

    def killer(self, mutant, verbose):
        """The first test that fails; None if the mutant passes them all. On a busy machine Check must
        not take slowness for a failure."""
        with tempfile.TemporaryDirectory() as folder:
            write(os.path.join(folder, mutant.path), mutated(mutant))
            objects = [self.compile(folder, path) for path in self.sources(mutant)]
            for test in mutant.tests:
                command = [self.link(folder, test, objects)] + self.arguments
                found = failure(test, command, 300, {'CK_TIMEOUT_MULTIPLIER': '10'}, verbose)
                if found is not None:
                    return found
        return None


# ---- second way: the same with builds of several kinds, and whatever their make knows ----

KINDS = {'plain': [], 'debug': ['--enable-debug'], 'tsan': ['--enable-tsan'],
         'asan': ['--enable-asan', '--enable-ubsan']}
MODES = {'chaos': 'chaos=1', 'barrier': 'barrier,chaos=1'} # TRICOLOR_VERIFY


def model_of(killer):
    """'model handshake WEAK_ASK' -> ('handshake', 'WEAK_ASK'); None if it is a program."""
    words = killer.split()
    return tuple(words[1:]) if words[0] == 'model' else None


def check_models(mutants):
    """The models' own check must expect them to fail. Returns how many it does not know."""
    errors = 0
    script = read('docs/model/check.sh')
    for killer in {killer for mutant in mutants for killer in mutant.tests}:
        model = model_of(killer)
        if model is None:
            continue
        body = re.search(rf'^check_{model[0]}\(\)\n(.*?)^}}', script, re.MULTILINE | re.DOTALL)
        if body is None or not re.search(rf'\b(D)?{model[1]}\b', body.group(1)):
            print(f'docs/model/check.sh does not try {killer}')
            errors += 1
    return errors


class Build:
    """One of configure's, of one kind, made as far as it is needed."""

    def __init__(self, folder, kind):
        self.folder = folder
        if not os.path.exists(os.path.join(folder, 'Makefile')):
            os.makedirs(folder, exist_ok=True)
            subprocess.run([os.path.join(SOURCE, 'configure'), '-q'] + KINDS[kind], cwd=folder,
                           check=True, stdout=subprocess.DEVNULL)
        self.make('libtricolor_internal.la')
        self.flags = ['-w', '-O2', '-D_GNU_SOURCE=']
        for name in ('LANGUAGE_CFLAGS', 'SANITIZER_CFLAGS', 'DEBUG_CPPFLAGS', 'URCU_CFLAGS',
                     'CK_CFLAGS', 'CHECK_CFLAGS'):
            self.flags += make_variable(folder, name)
        self.compiler = make_variable(folder, 'CC')
        self.libraries = [os.path.join(folder, '.libs', 'libtricolor_internal.a')] * 2
        self.libraries += make_variable(folder, 'CHECK_LIBS') + make_variable(folder, 'URCU_LIBS')
        self.linked = self.objects('libtricolor_internal_la_OBJECTS')

    def make(self, *arguments):
        made = subprocess.run(('make', '-s', f'-j{os.cpu_count()}') + arguments, cwd=self.folder,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if made.returncode != 0:
            sys.exit(made.stdout)
        return made.stdout

    def objects(self, variable):
        return self.make(f'--eval=print-it:;@echo $({variable})', 'print-it').split()

    def sees(self, item, path):
        """Was the object made from that file?"""
        folder, name = os.path.split(item)
        notes = os.path.join(self.folder, folder, '.deps', re.sub(r'\.(l?)o$', r'.P\1o', name))
        with open(notes, encoding='utf-8') as file:
            return re.search(rf'/{re.escape(path)}(:|\s)', file.read()) is not None

    def compile(self, folder, item):
        path = re.sub(r'\.l?o$', '.c', item)
        changed = os.path.join(folder, path)
        source = changed if os.path.exists(changed) else os.path.join(SOURCE, path)
        output = os.path.join(folder, path.replace('/', '_') + '.o')
        if not os.path.exists(output):
            roots = [os.path.join(folder, part) for part in ('include', 'runtime', '')]
            roots += [os.path.join(SOURCE, part) for part in ('include', 'runtime', '', 'tests')]
            subprocess.run(self.compiler + self.flags + ['-I' + root for root in roots] +
                           ['-c', '-o', output, source], check=True)
        return output

    def link(self, folder, program, path):
        """With the file in `folder` instead of its original."""
        own = self.objects(program.replace('/', '_') + '_OBJECTS')
        self.make(*own)
        changed = [item for item in own + self.linked if self.sees(item, path)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = list(pool.map(lambda item: self.compile(folder, item), changed))
        output = os.path.join(folder, os.path.basename(program))
        subprocess.run(self.compiler + self.flags + ['-o', output] +
                       [os.path.join(self.folder, item) for item in own if item not in changed] +
                       compiled + self.libraries, check=True)
        return output


class KindsBuilder:
    """A killer is a program, with what is needed before its name: `test_cycle`, `tsan test_buffer`,
    `chaos graph` (of stress/), or a mutant of a model, `model handshake WEAK_ASK`."""

    def __init__(self, folder, seconds=10):
        self.folder = os.path.abspath(folder)
        self.seconds = str(seconds)
        self.builds = {}

    def build(self, kind):
        if kind not in self.builds:
            self.builds[kind] = Build(os.path.join(self.folder, kind), kind)
        return self.builds[kind]

    def environment(self, kind, words):
        environment = {'TRICOLOR_VERIFY': MODES[word] for word in words if word in MODES}
        slow = '1' if kind in ('plain', 'debug') else '10'
        environment['CK_TIMEOUT_MULTIPLIER'] = os.environ.get('CK_TIMEOUT_MULTIPLIER', slow)
        environment['ASAN_OPTIONS'] = 'allocator_may_return_null=1'
        environment['TSAN_OPTIONS'] = ('allocator_may_return_null=1:atexit_sleep_ms=0:suppressions=' +
                                       os.path.join(SOURCE, 'tests', 'tsan.supp'))
        return environment

    def try_killer(self, folder, mutant, killer, verbose):
        *words, name = killer.split()
        kind = next((word for word in words if word in KINDS), 'plain')
        there = os.path.join(folder, kind)
        program = ('tests/' if name.startswith('test_') else 'stress/') + name
        write(os.path.join(there, mutant.path), mutated(mutant))
        command = [self.build(kind).link(there, program, mutant.path)]
        if program.startswith('stress/'):
            command += ['--seed', '1', '--seconds', self.seconds]
        if kind == 'tsan':
            command = ['setarch', os.uname().machine, '-R'] + command
        return failure(killer, command, 600, self.environment(kind, words), verbose)

    def killer(self, mutant, verbose):
        with tempfile.TemporaryDirectory() as folder:
            for killer in mutant.tests:
                found = killer if model_of(killer) else self.try_killer(folder, mutant, killer, verbose)
                if found is not None:
                    return found
        return None


# ---- the table ----

def print_row(cells):
    cells = [' '.join(cell.split()).replace('|', '\\|') for cell in cells]
    print('| ' + ' | '.join(cells) + ' |', flush=True)


def code(text):
    return f'`{text.strip()}`' if text.strip() else 'nothing'


def print_head(heading, has_words):
    if heading:
        print(f'\n## {heading}\n')
    columns = ['file'] + ['it does'] * has_words + ['original', 'mutant', 'first test that fails']
    print_row(columns)
    print('|' + '---|' * len(columns), flush=True)


def tests_of(mutants):
    return list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))


def original_fails(builder, mutants):
    first = mutants[0]
    found = builder.killer(Mutant(first.path, first.old, first.old, tests_of(
        [mutant._replace(tests=[test for test in mutant.tests if not model_of(test)])
         for mutant in mutants])), False)
    if found is not None:
        print(f'the original fails ({found}), so nothing can be said about mutants', file=sys.stderr)
    return found is not None


def print_table(builder, sections, chosen):
    """Returns the number of mutants that survived, and nobody has argued why."""
    survivors = number = 0
    has_words = any(mutant.what for _, mutants in sections for mutant in mutants)
    for heading, mutants in sections:
        here = range(number, number + len(mutants))
        number += len(mutants)
        if chosen and not chosen & set(here):
            continue
        print_head(heading, has_words)
        for mutant in [mutants[i - here[0]] for i in here if not chosen or i in chosen]:
            verdict = builder.killer(mutant, len(chosen) == 1) or mutant.reason or 'SURVIVED'
            survivors += verdict == 'SURVIVED'
            print_row([os.path.basename(mutant.path)] + [mutant.what] * has_words +
                      [code(mutant.old), code(mutant.new), verdict])
    return survivors


def main(doc, sections, make_builder):
    """`sections`: pairs of a heading and its mutants."""
    mutants = [mutant for _, some in sections for mutant in some]
    if len(sys.argv) < 2 or (sys.argv[1].startswith('-') and sys.argv[1] != '--check'):
        print(doc)
        return 2
    errors = check(mutants) + check_models(mutants)
    if sys.argv[1] == '--check' or errors:
        return 1 if errors else 0
    builder = make_builder(sys.argv[1])
    chosen = {int(text) for text in sys.argv[2:]}
    if not chosen and original_fails(builder, mutants):
        return 1
    survivors = print_table(builder, sections, chosen)
    print(f'\n{survivors} survived', file=sys.stderr)
    return 1 if survivors else 0
