"""Parity of apps that need no packages: how they are started, what they print and look at, how they end."""

from __future__ import annotations

import zipfile

import pytest

from tests.injection.parity import Row, check
from tests.injection.running import Runner
from tests.receiver import Receiver

SELL = "import logging; logging.getLogger('shop').warning('sold')"
QUERY = "import sqlite3; c = sqlite3.connect(':memory:'); print(c.cursor().execute('select 1').fetchall()); c.close()"
FETCH = "import os, urllib.request as u; print(u.urlopen(os.environ['STOCK_URL'] + '/stock').read().decode())"

STARTS = {
    "script": Row(SELL, logs=["sold"]),
    "script with arguments": Row(
        f"import sys; print(sys.argv, sys.orig_argv[1:], __name__); {SELL}",
        ["main.py", "-m", "pip", "--", "-c"],
        logs=["sold"],
    ),
    "-c": Row(arguments=["-c", f"import sys; print(sys.argv, __name__); {SELL}", "-m", "pip"], logs=["sold"]),
    "-m module": Row(
        arguments=["-m", "shop"],
        files={"shop.py": f"import sys; print(sys.argv[1:], __spec__.name); {SELL}"},
        logs=["sold"],
    ),
    "-m package": Row(
        arguments=["-m", "shop", "x"],
        files={
            "shop/__init__.py": "print('package')",
            "shop/__main__.py": """
            from . import sale
            print(__package__)
        """,
            "shop/sale.py": SELL,
        },
        logs=["sold"],
    ),
    "stdin": Row(
        arguments=["-"],
        given=f"""
            import sys; print(sys.argv, __name__)
            {SELL}
        """,
        logs=["sold"],
    ),
    "stdin without a dash": Row(arguments=[], given=f"{SELL}\n", logs=["sold"]),
    "stdin that is read by the app": Row(
        f"import sys; print(sys.stdin.read().upper()); {SELL}",
        given="""
            a
            b
        """,
        logs=["sold"],
    ),
    "interactive": Row(
        arguments=["-i", "-q"],
        given=f"""
            {SELL}
            1 / 0
            exit(4)
        """,
        logs=["sold"],
        status=4,
    ),
    "-i after a script": Row(SELL, ["-i", "main.py"], given="print(len(dir()) > 3)\n", logs=["sold"]),
    "folder": Row(arguments=["shop"], files={"shop/__main__.py": "import sale", "shop/sale.py": SELL}, logs=["sold"]),
    "optimised": Row(
        f"assert False; print(__debug__, main.__doc__) if 0 else print(__debug__); {SELL}",
        ["-O", "main.py"],
        logs=["sold"],
    ),
    "without docstrings": Row(
        f"""
            'doc'
            import json
            print(__doc__, json.__doc__); {SELL}
        """,
        ["-OO", "main.py"],
        logs=["sold"],
    ),
    "warnings are errors": Row(
        f"""
            {SELL}
            {QUERY}
            {FETCH}
        """,
        ["-W", "error", "main.py"],
        logs=["sold"],
        spans=["select", "GET"],
    ),
    "development mode": Row(
        f"""
            {SELL}
            {QUERY}
            {FETCH}
        """,
        ["-X", "dev", "main.py"],
        logs=["sold"],
        spans=["select", "GET"],
    ),
    "bytes warnings are errors": Row(
        f"""
            {SELL}
            {FETCH}
        """,
        ["-bb", "main.py"],
        logs=["sold"],
        spans=["GET"],
    ),
    "default encoding warnings": Row(
        f"""
            {SELL}
            {FETCH}
        """,
        ["-X", "warn_default_encoding", "-W", "error", "main.py"],
        logs=["sold"],
        spans=["GET"],
    ),
    "without the environment": Row(SELL, ["-E", "main.py"]),
    "isolated": Row(SELL, ["-I", "main.py"]),
    "without site": Row(SELL, ["-S", "main.py"]),
    "no user site": Row(SELL, ["-s", "main.py"], logs=["sold"]),
    "safe path": Row(f"import sys; print(sys.path[0] != ''); {SELL}", env={"PYTHONSAFEPATH": "1"}, logs=["sold"]),
    "unbuffered": Row(f"print('a'); {SELL}", ["-u", "main.py"], logs=["sold"]),
    "UTF-8 off": Row(
        f"import sys; print(sys.flags.utf8_mode, sys.stdout.encoding, ascii(sys.argv)); {SELL}",
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        logs=["sold"],
    ),
    "preset path": Row("import sale", app_pythonpath="lib", files={"lib/sale.py": SELL}, logs=["sold"]),
    "empty path": Row(
        f"import sys; print([each for each in sys.path if 'otel' not in each]); {SELL}",
        app_pythonpath="",
        logs=["sold"],
    ),
    "own sitecustomize": Row(
        f"""
            import sitecustomize, os
            print(os.path.basename(os.path.dirname(sitecustomize.__file__)))
            {SELL}
        """,
        app_pythonpath="own",
        files={"own/sitecustomize.py": "import logging, sys; logging.warning('custom'); sys.setrecursionlimit(500)"},
        logs=["custom", "sold"],
    ),
    "own usercustomize": Row(
        SELL,
        app_pythonpath="own",
        files={"own/usercustomize.py": "import logging; logging.basicConfig(format='user %(message)s')"},
        logs=["sold"],
    ),
    "own sitecustomize that fails": Row(
        SELL, app_pythonpath="own", files={"own/sitecustomize.py": "import nowhere_at_all"}, logs=["sold"]
    ),
    "own module named opentelemetry_shop": Row(
        "import opentelemetry_shop", files={"opentelemetry_shop.py": SELL}, logs=["sold"]
    ),
    "own modules named as ours": Row(
        f"import start, hooks, report, settings, state, logs, guard; {SELL}",
        files={
            f"{name}.py": "print(__name__)"
            for name in ("start", "hooks", "report", "settings", "state", "logs", "guard")
        },
        logs=["sold"],
    ),
    "own package named opentelemetry": Row(
        f"import opentelemetry; print(opentelemetry.OWN); {SELL}",
        files={"opentelemetry/__init__.py": "OWN = 1"},
        logs=None,
        lines=1,
    ),
    "own package named google": Row(
        f"import google; print(google.OWN); {FETCH}; {SELL}",
        files={"google/__init__.py": "OWN = 1"},
        logs=["sold"],
        spans=["GET"],
    ),
    "own modules named as dependencies": Row(
        f"import wrapt, packaging, typing_extensions, psutil, requests, urllib3, h2; {FETCH}; {SELL}",
        files={
            f"{name}.py": "print(__name__)"
            for name in ("wrapt", "packaging", "typing_extensions", "psutil", "requests", "urllib3", "h2")
        },
        logs=["sold"],
        spans=["GET"],
    ),
}

ENDS = {
    "status": Row(f"{SELL}; raise SystemExit(7)", logs=["sold"], status=7),
    "status beyond a byte": Row(f"import sys; {SELL}; sys.exit(256 + 3)", logs=["sold"], status=3),
    "text": Row(f"import sys; {SELL}; sys.exit('no stock')", logs=["sold"], status=1),
    "object": Row(f"import sys; {SELL}; sys.exit(['no', 'stock'])", logs=["sold"], status=1),
    "exit()": Row(f"{SELL}; exit()", logs=["sold"]),
    "exception": Row(
        f"""
            {SELL}
            def buy():
                raise LookupError('no stock')
            buy()
        """,
        logs=None,
        status=1,
    ),
    "exception with a cause": Row(
        f"""
            {SELL}
            try:
                1 / 0
            except ZeroDivisionError as e:
                e.add_note('x') if hasattr(e, 'add_note') else 0
                raise LookupError('no stock') from e
        """,
        logs=None,
        status=1,
    ),
    "syntax error": Row("def broken(", logs=[], status=1),
    "missing module": Row(
        f"""
            {SELL}
            import nowhere_at_all
        """,
        logs=["sold"],
        status=1,
    ),
    "missing module of OpenTelemetry": Row(
        f"""
            {SELL}
            try:
                import opentelemetry.sdk
            except ImportError as e:
                raise SystemExit(type(e).__name__)
        """,
        logs=["sold"],
        status=1,
    ),
    "missing name": Row("from sqlite3 import nothing", status=1),
    "failing import of its own": Row(
        "import broken",
        files={
            "broken.py": """
            import sqlite3
            raise RuntimeError(__name__)
        """
        },
        status=1,
    ),
    "keyboard interrupt": Row(f"{SELL}; raise KeyboardInterrupt", logs=["sold"], status=-2),
    "recursion": Row(
        f"""
            import sys; {SELL}
            def f():
                f()
            try:
                f()
            except RecursionError as e:
                sys.exit(str(e)[:30])
        """,
        logs=["sold"],
        status=1,
    ),
    "out of memory": Row(
        f"""
            {SELL}
            raise MemoryError
        """,
        logs=None,
        status=1,
    ),
    "os._exit": Row(f"import os; {SELL}; os._exit(5)", logs=None, status=5),
    "abort": Row("import os; os.abort()", status=-6),
    "kill": Row("import os; os.kill(os.getpid(), 9)", status=-9),
    "thread": Row(
        f"""
            import threading; {SELL}
            t = threading.Thread(target=lambda: 1 / 0, name='t'); t.start(); t.join()
        """,
        logs=None,
    ),
    "threading.excepthook": Row(
        f"""
            import threading; {SELL}
            threading.excepthook = lambda a: print(a.exc_type, a.thread.name)
            t = threading.Thread(target=lambda: 1 / 0, name='t'); t.start(); t.join()
        """,
        logs=None,
    ),
    "thread that outlives main": Row(
        f"""
            import threading, time
            def late():
                time.sleep(0.3)
                print('late')
                {SELL}
            threading.Thread(target=late).start()
        """,
        logs=["sold"],
    ),
    "daemon thread": Row(
        f"""
            import threading, time; {SELL}
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        """,
        logs=["sold"],
    ),
    "asyncio": Row(
        f"""
            import asyncio
            {SELL}
            async def main():
                1 / 0
            asyncio.run(main())
        """,
        logs=None,
        status=1,
    ),
    "asyncio task never retrieved": Row(
        f"""
            import asyncio, gc
            {SELL}
            async def bad():
                1 / 0
            async def main():
                t = asyncio.ensure_future(bad(), loop=asyncio.get_running_loop())
                t.set_name('bad')
                await asyncio.sleep(0.01)
                del t
                gc.collect()
            asyncio.run(main())
        """,
        logs=None,
    ),
    "asyncio cancelled": Row(
        f"""
            import asyncio
            {SELL}
            async def main():
                asyncio.current_task().cancel()
                await asyncio.sleep(1)
            asyncio.run(main())
        """,
        logs=None,
        status=1,
    ),
    "asyncio debug": Row(
        f"""
            import asyncio, time
            {SELL}
            async def main():
                print(asyncio.get_running_loop().get_debug(), len(asyncio.all_tasks()))
            asyncio.run(main(), debug=True)
        """,
        logs=["sold"],
    ),
    "asyncio subprocess": Row(
        f"""
            import asyncio, sys
            {SELL}
            async def main():
                p = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(1)', stdout=asyncio.subprocess.PIPE)
                print((await p.communicate())[0], p.returncode)
            asyncio.run(main())
        """,
        logs=["sold"],
    ),
    "exception group": Row(
        f"""
            import sys
            {SELL}
            if sys.version_info >= (3, 11):
                raise ExceptionGroup('many', [ValueError('a'), KeyError('b')])
            sys.exit(1)
        """,
        logs=None,
        status=1,
    ),
    "excepthook": Row(
        f"import sys; {SELL}; sys.excepthook = lambda *a: print('hook', a[0].__name__); 1 / 0", logs=None, status=1
    ),
    "excepthook that fails": Row(f"import sys; {SELL}; sys.excepthook = lambda *a: [][1]; 1 / 0", logs=None, status=1),
    "atexit order": Row(
        f"""
            import atexit, sys
            {SELL}
            for i in range(3):
                atexit.register(print, i)
            atexit.register(sys.stderr.write, 'bye\\n')
            print(atexit._ncallbacks() >= 4)
        """,
        logs=["sold"],
    ),
    "atexit that fails": Row(
        f"""
            import atexit
            {SELL}
            atexit.register(lambda: 1 / 0)
            atexit.register(print, 'last')
        """,
        logs=None,
    ),
    "atexit that exits": Row(
        f"""
            import atexit, sys
            {SELL}
            atexit.register(sys.exit, 9)
        """,
        logs=["sold"],
    ),
    "__del__ at the end": Row(
        f"""
            class A:
                def __del__(self):
                    print('del')
            a = A()
            {SELL}
        """,
        logs=["sold"],
    ),
    "unraisable": Row(
        f"""
            class A:
                def __del__(self):
                    1 / 0
            a = A()
            {SELL}
            del a
        """,
        logs=["sold"],
    ),
    "closed stdout": Row(f"import sys; {SELL}; sys.stdout.close()", logs=["sold"]),
    "closed stderr": Row(f"import sys; {SELL}; sys.stderr.close()", logs=["sold"]),
    "broken pipe": Row(
        f"""
            import os, sys
            {SELL}
            r, w = os.pipe(); os.close(r); os.dup2(w, 1)
            print('x' * 10)
        """,
        logs=["sold"],
        status=120,
    ),
    "stderr replaced": Row(
        f"""
            import io, sys
            sys.stderr = io.StringIO()
            {SELL}
            print(repr(sys.stderr.getvalue()))
        """,
        logs=["sold"],
    ),
    "stdout redirected": Row(
        f"""
            import contextlib, io, logging
            s = io.StringIO()
            with contextlib.redirect_stderr(s), contextlib.redirect_stdout(s):
                {SELL}
                print('in')
            print(repr(s.getvalue()))
        """,
        logs=["sold"],
    ),
    "signal handler": Row(
        f"""
            import os, signal
            signal.signal(signal.SIGUSR1, lambda n, f: print('got', n, f.f_code.co_name))
            {SELL}
            os.kill(os.getpid(), signal.SIGUSR1)
            print([s for s in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGHUP) if signal.getsignal(s) not in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)])
        """,
        logs=["sold"],
    ),
    "SIGTERM handled": Row(
        f"""
            import os, signal, sys
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(11))
            {SELL}
            os.kill(os.getpid(), signal.SIGTERM)
        """,
        logs=["sold"],
        status=11,
    ),
    "SIGTERM": Row(
        f"""
            import os, signal
            {SELL}
            os.kill(os.getpid(), signal.SIGTERM)
        """,
        logs=None,
        status=-15,
    ),
    "SIGINT": Row(
        f"""
            import os, signal
            {SELL}
            os.kill(os.getpid(), signal.SIGINT)
        """,
        logs=["sold"],
        status=-2,
    ),
    "SIGALRM": Row(
        f"""
            import signal, time
            {SELL}
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            time.sleep(5)
        """,
        logs=None,
        status=-14,
    ),
    "faulthandler": Row(
        f"""
            import faulthandler, sys
            {SELL}
            print(faulthandler.is_enabled())
            faulthandler.dump_traceback(all_threads=False)
        """,
        logs=["sold"],
    ),
    "faulthandler by option": Row(
        f"import faulthandler; {SELL}; print(faulthandler.is_enabled())",
        ["-X", "faulthandler", "main.py"],
        logs=["sold"],
    ),
    "segmentation fault": Row("import faulthandler; faulthandler.disable(); faulthandler._sigsegv()", status=-11),
}

LOOKS = {
    "sys.path and modules": Row(
        f"""
            import sys
            print([each for each in sys.path if 'otel-' not in each], 'sitecustomize' in sys.modules)
            print(sorted(name for name in ('asyncio', 'ssl', 'typing', 're', 'threading', 'socket', 'json', 'inspect', 'contextlib', 'logging') if name in sys.modules))
            {SELL}
        """,
        logs=["sold"],
    ),
    "distributions": Row(
        f"""
            import importlib.metadata as m, pkgutil
            {SELL}
            print(sorted(d.metadata['Name'] for d in m.distributions()))
            try:
                m.version('opentelemetry-api')
            except m.PackageNotFoundError as e:
                print(e)
            print([d.metadata['Name'] for d in m.distributions() if 'opentelemetry' in str(d.entry_points)])
        """,
        logs=["sold"],
    ),
    "threads": Row(
        f"""
            import threading, sys
            {SELL}
            import time; time.sleep(0.1)
            print(threading.current_thread().name, threading.main_thread().is_alive())
        """,
        logs=["sold"],
    ),
    "names of new threads": Row(
        f"""
            import threading
            {SELL}
            t = threading.Thread(target=lambda: print(threading.current_thread().name))
            t.start()
            t.join()
            print(t.name)
        """,
        logs=["sold"],
    ),
    "pools of interpreters": Row(
        f"""
            import math
            {SELL}
            try:
                from concurrent.futures import InterpreterPoolExecutor
            except ImportError:  # Python 3.13
                print("none")
            else:
                with InterpreterPoolExecutor(1) as p:
                    print(p.submit(math.sqrt, 4).result(), list(p.map(math.sqrt, [9])))
        """,
        logs=["sold"],
    ),
    "threads and tasks of a pool": Row(
        f"""
            import concurrent.futures as c, threading
            {SELL}
            with c.ThreadPoolExecutor(1) as p:
                print(p.submit(lambda: threading.current_thread().name).result(), list(p.map(str, [1, 2])))
        """,
        logs=["sold"],
    ),
    "file descriptors": Row(
        f"""
            import os
            {SELL}
            print(os.open('.', os.O_RDONLY), os.pipe())
        """,
        logs=["sold"],
    ),
    "descriptors after a query": Row(
        f"""
            import os
            {QUERY}
            print(os.open('.', os.O_RDONLY))
        """,
        spans=["select"],
    ),
    "os.environ": Row(
        f"""
            import os
            {SELL}
            print(sorted(k for k in os.environ if not k.startswith('OTEL_') and k != 'PYTHONPATH'), os.environ.get('_'))
        """,
        logs=["sold"],
    ),
    "globals": Row(
        """
            import logging
            logging.warning('sold')
            print(sorted(globals()), sorted(dir(__builtins__)) == sorted(dir(__import__('builtins'))), __loader__.__class__, __spec__, __annotations__ if 0 else 0)
        """,
        logs=["sold"],
    ),
    "hooks of sys": Row(
        f"""
            import sys, threading
            {SELL}
            print(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.unraisablehook is sys.__unraisablehook__, sys.gettrace(), sys.getprofile(), sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.path_hooks, sys.getrecursionlimit(), sys.getswitchinterval(), sys.flags, sys.warnoptions)
        """,
        logs=["sold"],
    ),
    "import hooks": Row(
        f"""
            import sys
            {SELL}
            print([str(f) for f in sys.meta_path if 'otel' not in type(f).__module__], __import__ is __builtins__.__import__)
        """,
        logs=["sold"],
    ),
    "warnings filters": Row(
        f"""
            import warnings
            {SELL}
            {QUERY}
            print(warnings.filters, warnings.showwarning.__module__)
            warnings.warn('old', DeprecationWarning)
        """,
        logs=["sold"],
        spans=["select"],
    ),
    "warnings into the log": Row(
        """
            import logging, warnings
            logging.captureWarnings(True)
            warnings.warn('old')
            warnings.warn('older', DeprecationWarning)
        """,
        logs=None,
    ),
    "warnings attributed to the caller": Row(
        """
            import lib, warnings
            lib.old()
        """,
        files={
            "lib.py": """
            import warnings, sqlite3
            def old():
                warnings.warn('old', stacklevel=2)
            warnings.warn('import', stacklevel=2)
        """
        },
    ),
    "garbage": Row(
        f"""
            import gc
            {SELL}
            print(gc.isenabled(), gc.get_threshold(), gc.garbage, gc.callbacks, gc.get_freeze_count() if hasattr(gc, 'get_freeze_count') else 0)
        """,
        logs=["sold"],
    ),
    "tracemalloc": Row(
        f"""
            import tracemalloc
            {SELL}
            print(tracemalloc.is_tracing())
            tracemalloc.start(); {SELL}; print(tracemalloc.is_tracing(), tracemalloc.get_traceback_limit())
        """,
        logs=["sold", "sold"],
    ),
    "tracemalloc by option": Row(
        f"""
            import tracemalloc
            {SELL}
            print(tracemalloc.is_tracing())
            open('x', 'w').write('x')
        """,
        ["-X", "tracemalloc=5", "-W", "always", "main.py"],
        logs=["sold"],
    ),
    "tracing": Row(
        f"""
            import sys
            seen = []
            sys.settrace(lambda f, e, a: seen.append(f.f_code.co_name))
            def f():
                return 1
            f()
            sys.settrace(None)
            print(seen)
            {SELL}
        """,
        logs=["sold"],
    ),
    "random": Row(
        f"""
            import random
            random.seed(7)
            {SELL}
            {QUERY}
            {FETCH}
            print(random.random())
        """,
        logs=["sold"],
        spans=["select", "GET"],
    ),
    "locale, time, decimal": Row(
        f"""
            import locale, time, decimal, os
            {SELL}
            {QUERY}
            print(locale.setlocale(locale.LC_ALL), time.tzname, decimal.getcontext(), os.getcwd() == os.path.abspath('.'), os.umask(0))
        """,
        logs=["sold"],
        spans=["select"],
    ),
    "socket defaults": Row(
        f"""
            import socket
            {SELL}
            {FETCH}
            print(socket.getdefaulttimeout())
        """,
        logs=["sold"],
        spans=["GET"],
    ),
    "start method": Row(
        f"""
            import multiprocessing as m
            {SELL}
            print(m.get_start_method(allow_none=True), m.current_process().name, m.active_children())
        """,
        logs=["sold"],
    ),
    "events of an audit hook": Row(
        """
            import sys
            seen = []
            sys.addaudithook(lambda e, a: seen.append(e) if e == 'import' else None)
            import json.tool
            print('import' in seen)
        """
    ),
    "inspect": Row(
        f"""
            import inspect, logging, sqlite3, threading, urllib.request, asyncio
            {SELL}
            for f in (logging.Logger.warning, logging.Logger.callHandlers, logging.Logger.makeRecord, threading.Thread.start, threading.Thread.run, urllib.request.OpenerDirector.open, urllib.request.urlopen, asyncio.run, asyncio.gather, asyncio.BaseEventLoop.call_exception_handler, threading.excepthook):
                print(f.__name__, f.__qualname__, f.__module__, f.__doc__ and f.__doc__[:20], callable(f))
                try:
                    print(inspect.signature(f))
                except ValueError as e:
                    print(e)
            print(inspect.getsource(logging.Logger.info)[:20], inspect.isclass(sqlite3.Connection), inspect.isbuiltin(sqlite3.connect), repr(sqlite3.connect))
        """,
        logs=["sold"],
    ),
    "pickle": Row(
        f"""
            import pickle, logging, sqlite3, threading, urllib.request, asyncio, functools
            {SELL}
            log = logging.getLogger('shop')
            for f in (sqlite3.connect, functools.partial(sqlite3.connect, ':memory:'), urllib.request.urlopen, urllib.request.Request('http://x'), log, log.warning, threading.Thread, logging.Logger, asyncio.run, asyncio.sleep, asyncio.gather, asyncio.wait_for):
                print(pickle.loads(pickle.dumps(f)) is not None)
        """,
        logs=["sold"],
    ),
    "copy": Row(
        f"""
            import copy, logging, sqlite3, urllib.request, threading
            {SELL}
            for f in (sqlite3.connect, urllib.request.Request('http://x'), logging.getLogger('shop'), urllib.request.build_opener(), threading.Thread.start):
                print(copy.copy(f) is f, copy.deepcopy(f) is f if not isinstance(f, urllib.request.OpenerDirector) else '')
        """,
        logs=["sold"],
    ),
    "types": Row(
        f"""
            import sqlite3, typing, types
            {SELL}
            connection = sqlite3.connect(':memory:')
            print(isinstance(connection, sqlite3.Connection), connection, sqlite3.connect)
            class C(sqlite3.Connection):
                pass
            print(isinstance(sqlite3.connect(':memory:', factory=C), C), isinstance(connection.cursor(), sqlite3.Cursor))
            connection.row_factory = sqlite3.Row
            print(connection.execute('select 1 as a').fetchone().keys())
            connection.create_function('f', 1, lambda x: x + 1)
            print(connection.execute('select f(1)').fetchone()[0], connection.total_changes, connection.in_transaction)
            connection.backup(sqlite3.connect(':memory:'))
            print(list(connection.iterdump()))
            with connection as c:
                print(c is connection)
            cursor = connection.cursor()
            cursor.execute('select 1 union select 2')
            print(next(cursor), list(cursor), iter(cursor) is not None, cursor.connection is not None)
        """,
        logs=["sold"],
        spans=None,
    ),
    "errors of a database": Row(
        """
            import sqlite3
            c = sqlite3.connect(':memory:')
            for q in ('selec', 'select * from nothing', 'select ?'):
                try:
                    c.execute(q)
                except sqlite3.Error as e:
                    print(type(e), e)
                try:
                    c.cursor().execute(q)
                except sqlite3.Error as e:
                    print(type(e), e)
                try:
                    c.cursor().executemany(q, [1])
                except (sqlite3.Error, TypeError, ValueError) as e:
                    print(type(e), e)
        """,
        spans=None,
    ),
    "errors of a call": Row(
        """
            import os, urllib.request, urllib.error
            for url in (os.environ['STOCK_URL'] + '/missing', os.environ['STOCK_URL'] + '/broken', 'http://127.0.0.1:1/', 'nonsense', 'ftp://127.0.0.1:1/', 'file:///nowhere'):
                try:
                    urllib.request.urlopen(url, timeout=1)
                except Exception as e:
                    print(type(e), e, getattr(e, 'code', ''), type(e.__cause__), type(e.__context__))
        """,
        spans=None,
    ),
    "headers of a call": Row(
        """
            import os, urllib.request
            r = urllib.request.Request(os.environ['STOCK_URL'] + '/stock', headers={'A': 'b'})
            with urllib.request.urlopen(r) as answer:
                print(answer.status, answer.headers['Content-Type'])
            print(len(urllib.request.build_opener().addheaders))
        """,
        spans=["GET"],
    ),
    "http.client": Row(
        """
            import os, http.client, urllib.parse
            u = urllib.parse.urlsplit(os.environ['STOCK_URL'])
            c = http.client.HTTPConnection(u.hostname, u.port)
            c.request('GET', '/stock')
            print(c.getresponse().read())
        """
    ),
    "mock of a call": Row(
        """
            import urllib.request, sqlite3
            from unittest import mock
            with mock.patch('urllib.request.urlopen') as m, mock.patch('sqlite3.connect') as n, mock.patch('logging.Logger.warning') as w:
                import logging
                logging.getLogger('a').warning('x')
                urllib.request.urlopen('x'); sqlite3.connect('y')
                print(m.mock_calls, n.mock_calls, w.mock_calls)
            m = mock.create_autospec(sqlite3.connect)
            m(':memory:')
            print(m.mock_calls)
            with mock.patch.object(urllib.request.OpenerDirector, 'open', autospec=True) as m:
                urllib.request.build_opener().open('x')
                print(len(m.mock_calls))
        """,
    ),
}

SUITES = {
    "unittest": Row(
        arguments=["-m", "unittest", "-v", "test_shop"],
        files={
            "test_shop.py": """
            import unittest, logging, warnings, sqlite3
            class T(unittest.TestCase):
                def test_a(self):
                    with self.assertLogs('shop') as logs:
                        logging.getLogger('shop').warning('sold')
                    self.assertEqual(logs.output, ['WARNING:shop:sold'])
                def test_b(self):
                    with warnings.catch_warnings(record=True) as w:
                        warnings.simplefilter('always')
                        sqlite3.connect(':memory:').close()
                    self.assertEqual(w, [])
                @unittest.expectedFailure
                def test_c(self):
                    self.assertEqual(1, 2)
                def test_d(self):
                    self.assertNoLogs() if 0 else None
        """
        },
        logs=["sold"],
    ),
    "doctest": Row(
        arguments=["-m", "doctest", "shop.py", "-v"],
        files={
            "shop.py": '"""\n>>> import logging\n>>> 1 + 1\n2\n>>> [][1]\nTraceback (most recent call last):\nIndexError: list index out of range\n>>> 1 + 1\n3\n"""\n'
        },
        status=1,
    ),
    "pdb": Row(
        SELL,
        ["-m", "pdb", "main.py"],
        given="""
            next
            next
            q
        """,
        logs=None,
    ),
    "cProfile": Row(
        f"""
            {SELL}
            print('done')
        """,
        ["-m", "cProfile", "-o", "profile", "main.py"],
        logs=["sold"],
    ),
    "trace": Row(
        """
            def f():
                return 1
            f()
        """,
        ["-m", "trace", "--listfuncs", "main.py"],
        logs=None,
    ),
    "runpy": Row(
        """
            import runpy
            print(sorted(runpy.run_path('sale.py')))
        """,
        files={"sale.py": SELL},
        logs=["sold"],
    ),
    "json.tool": Row(arguments=["-m", "json.tool"], given='{"a": 1}'),
    "zipapp": Row(
        arguments=["-m", "zipapp", "shop", "-m", "sale:main", "-o", "shop.pyz"],
        files={
            "shop/sale.py": """
            def main():
                print(1)
        """
        },
    ),
    "http.server help": Row(arguments=["-m", "http.server", "--help"]),
}

CHILDREN = {
    "pipes": Row(
        f"""
            import subprocess, sys
            {SELL}
            print(subprocess.run([sys.executable, '-c', 'import sys; print(sys.stdin.read()); print(2, file=sys.stderr); sys.exit(3)'], input='in', capture_output=True, text=True))
        """,
        logs=["sold"],
    ),
    "output that is parsed": Row(
        """
            import subprocess, sys, json
            print(json.loads(subprocess.check_output([sys.executable, 'child.py'], stderr=subprocess.STDOUT)))
        """,
        files={"child.py": "import json, sqlite3, logging; print(json.dumps({'a': 1}))"},
    ),
    "no environment": Row(
        f"""
            import subprocess, sys
            {SELL}
            print(subprocess.run([sys.executable, '-c', 'import logging; logging.warning(1)'], env={{}}, capture_output=True))
        """,
        logs=["sold"],
    ),
    "closed descriptors": Row(
        f"""
            import subprocess, sys, os
            {SELL}
            r, w = os.pipe()
            p = subprocess.Popen([sys.executable, '-c', 'import os; print(3 in map(int, os.listdir("/proc/self/fd")))'], stdout=subprocess.PIPE)
            print(p.communicate())
        """,
        logs=["sold"],
    ),
    "shell": Row(
        f"""
            import os
            {SELL}
            print(os.popen('echo hello; exit 3').read(), os.system('exit 4'))
        """,
        logs=["sold"],
    ),
    "fork": Row(
        f"""
            import os, sys
            {SELL}
            sys.stderr.flush()
            pid = os.fork()
            if not pid:
                print('child', flush=True)
                os._exit(3)
            print(os.waitpid(pid, 0)[1])
        """,
        ["-W", "ignore", "main.py"],
        logs=["sold"],
    ),
    "spawn": Row(
        """
            import multiprocessing as m, logging
            def f(x):
                logging.getLogger('shop').warning('%d', x)
                return x + 1
            if __name__ == '__main__':
                with m.get_context('spawn').Pool(1) as p:
                    print(p.map(f, [1, 2]))
                    p.close(); p.join()
        """,
        logs=["1", "2"],
    ),
    "fork pool with an error": Row(
        """
            import multiprocessing as m
            def f(x):
                return 1 / x
            if __name__ == '__main__':
                with m.get_context('fork').Pool(1) as p:
                    try:
                        p.map(f, [1, 0])
                    except ZeroDivisionError as e:
                        print(repr(e), type(e.__cause__))
        """,
        ["-W", "ignore", "main.py"],
    ),
    "process that fails": Row(
        """
            import multiprocessing as m, sys
            def f():
                sys.exit(7)
            def g():
                1 / 0
            if __name__ == '__main__':
                for t in (f, g):
                    p = m.get_context('fork').Process(target=t, name='p')
                    p.start()
                    p.join()
                    print(p.exitcode)
        """,
        ["-W", "ignore", "main.py"],
        logs=None,
    ),
    "shared memory": Row(
        """
            from multiprocessing import shared_memory
            s = shared_memory.SharedMemory(create=True, size=10)
            s.buf[0] = 1
            print(bytes(s.buf[:1]))
            s.close(); s.unlink()
        """
    ),
    "venv": Row("import venv; venv.create('env', with_pip=False); print('made')"),
    "exec": Row(
        """
            import os, sys
            os.execv(sys.executable, [sys.executable, 'child.py', 'a'])
        """,
        files={"child.py": f"import sys; print(sys.argv); {SELL}"},
        logs=["sold"],
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_an_app_starts_as_without_us(runner: Runner, receiver: Receiver, name: str) -> None:
    check(STARTS[name], runner, receiver)


@pytest.mark.parametrize("name", ENDS)
def test_an_app_ends_as_without_us(runner: Runner, receiver: Receiver, name: str) -> None:
    check(ENDS[name], runner, receiver)


@pytest.mark.parametrize("name", LOOKS)
def test_an_app_that_looks_around_sees_what_it_sees_without_us(runner: Runner, receiver: Receiver, name: str) -> None:
    check(LOOKS[name], runner, receiver)


@pytest.mark.parametrize("name", SUITES)
def test_a_tool_of_developers_works_as_without_us(runner: Runner, receiver: Receiver, name: str) -> None:
    check(SUITES[name], runner, receiver)


@pytest.mark.parametrize("name", CHILDREN)
def test_the_children_of_an_app_are_as_without_us(runner: Runner, receiver: Receiver, name: str) -> None:
    check(CHILDREN[name], runner, receiver)


def test_a_zip_archive_starts_as_without_us(runner: Runner, receiver: Receiver) -> None:
    with zipfile.ZipFile(runner.folder / "shop.pyz", "w") as archive:
        archive.writestr("__main__.py", "import sale; print(__loader__.__class__)")
        archive.writestr("sale.py", SELL)
    check(Row(arguments=["shop.pyz"], logs=["sold"]), runner, receiver)
