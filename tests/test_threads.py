"""Threads: limits, scopes, fork, and many callers at once."""

import concurrent.futures
import os
import textwrap

import numpy as np
import pytest
import threadpoolctl

import lsecy

OPENMP = lsecy.show_config(mode="dicts")["openmp"]


def test_a_limit_of_one_is_obeyed():
    lsecy.set_num_threads(1)
    assert lsecy.get_num_threads() == 1


def test_a_limit_can_be_lifted():
    before = lsecy.get_num_threads()
    lsecy.set_num_threads(1)
    lsecy.set_num_threads(None)
    assert lsecy.get_num_threads() == before


def test_the_number_of_threads_is_a_positive_int():
    assert type(lsecy.get_num_threads()) is int
    assert lsecy.get_num_threads() >= 1


def test_the_context_restores_the_limit():
    before = lsecy.get_num_threads()
    with lsecy.threads(1):
        assert lsecy.get_num_threads() == 1
    assert lsecy.get_num_threads() == before


def test_contexts_nest():
    lsecy.set_num_threads(1)
    with lsecy.threads(None):
        with lsecy.threads(1):
            pass
        assert lsecy.get_num_threads() >= 1
    assert lsecy.get_num_threads() == 1


def test_the_context_restores_the_limit_after_an_error():
    before = lsecy.get_num_threads()
    with pytest.raises(KeyError), lsecy.threads(1):
        raise KeyError
    assert lsecy.get_num_threads() == before


@pytest.mark.parametrize("n", [0, -1])
def test_a_limit_below_one_is_a_value_error(n):
    with pytest.raises(ValueError, match=f"^set_num_threads: .*{n}"):
        lsecy.set_num_threads(n)


@pytest.mark.parametrize("n", [1.5, "2", [1]])
def test_a_limit_that_is_no_integer_is_a_type_error(n):
    with pytest.raises(TypeError, match=r"^set_num_threads: "):
        lsecy.set_num_threads(n)


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (1.5, TypeError)])
def test_the_context_refuses_what_the_setter_refuses(n, error):
    with pytest.raises(error), lsecy.threads(n):
        pass


def test_more_threads_than_processors_give_the_right_answer():
    with lsecy.threads(64):
        assert lsecy.logsumexp(np.zeros(3_000_000)) == np.log(3_000_000)


def test_an_absurd_limit_does_no_harm():
    with lsecy.threads(100_000):
        assert lsecy.get_num_threads() >= 1
        assert lsecy.logsumexp(np.zeros(5)) == np.log(5)


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS"])
def test_the_environment_limits_threads(variable, printed):
    assert printed("import lsecy; print(lsecy.get_num_threads())", **{variable: "1"}) == "1"


def test_the_environment_does_not_change_the_result(printed):
    code = """
        import numpy, lsecy
        print(lsecy.logsumexp(numpy.random.default_rng(1).standard_normal(2_000_000)).hex())
    """
    assert len({printed(code, OMP_NUM_THREADS=n) for n in "1234"}) == 1


@pytest.mark.parametrize("api", [None, "openmp"])
def test_threadpoolctl_limits_threads(api):
    lsecy.logsumexp(np.zeros(10))
    with threadpoolctl.threadpool_limits(1, user_api=api):
        inside = lsecy.get_num_threads()
    assert inside == 1 or not OPENMP


def test_threadpoolctl_is_obeyed_again_after_its_context():
    before = lsecy.get_num_threads()
    with threadpoolctl.threadpool_limits(1):
        pass
    assert lsecy.get_num_threads() == before


def test_many_python_threads_get_right_answers(isa, dtype):
    arrays = [np.full(200_000 + i, 0.5, dtype) for i in range(16)]
    expected = [lsecy.logsumexp(a) for a in arrays]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lsecy.logsumexp, arrays * 10))
    assert got == expected * 10


def test_python_threads_may_change_the_limit_while_others_compute():
    a = np.random.default_rng(2).standard_normal((300, 4000))
    expected = lsecy.logsumexp(a, axis=1)

    def work(i):
        with lsecy.threads(1 + i % 3):
            return np.array_equal(lsecy.logsumexp(a, axis=1), expected)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(60)))


def test_small_calls_from_many_threads(isa):
    def work(i):
        return {lsecy.logsumexp(np.full(9, float(i))) for _ in range(300)}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert [len(results) for results in pool.map(work, range(8))] == [1] * 8


if hasattr(os, "fork"):

    def test_a_forked_child_computes(printed):
        code = """
            import os, warnings
            import numpy as np, lsecy
            warnings.simplefilter("ignore")
            a = np.random.default_rng(3).standard_normal(3_000_000)
            expected = lsecy.logsumexp(a)
            child = os.fork()
            if child == 0:
                right = lsecy.logsumexp(a) == expected
                lsecy.logsumexp(a.reshape(1000, -1), axis=0)
                os._exit(0 if right else 1)
            status = os.waitpid(child, 0)[1]
            print(os.waitstatus_to_exitcode(status), lsecy.logsumexp(a) == expected)
        """
        assert printed(code) == "0 True"

    def test_a_grandchild_computes(printed):
        code = """
            import os, warnings
            import numpy as np, lsecy
            warnings.simplefilter("ignore")
            a = np.ones(3_000_000)
            expected = lsecy.logsumexp(a)
            def fork(depth):
                child = os.fork()
                if child == 0:
                    wrong = lsecy.logsumexp(a) != expected
                    os._exit(int(wrong) or (fork(depth - 1) if depth else 0))
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print(fork(2))
        """
        assert printed(code) == "0"

    def test_a_forked_pool_computes(printed):
        code = """
            import multiprocessing, warnings
            import numpy as np, lsecy
            warnings.simplefilter("ignore")
            a = np.random.default_rng(3).standard_normal((4, 1_000_000))
            expected = lsecy.logsumexp(a, axis=1).tolist()
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(lsecy.logsumexp, list(a)) == expected)
        """
        assert printed(code) == "True"

    def test_a_child_forked_from_another_thread_computes(printed):
        code = """
            import os, threading, warnings
            import numpy as np, lsecy
            warnings.simplefilter("ignore")
            a = np.ones(3_000_000)
            expected = lsecy.logsumexp(a)
            def work():
                child = os.fork()
                if child == 0:
                    os._exit(int(lsecy.logsumexp(a) != expected))
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """
        assert printed(code) == "0"

    def test_a_child_forked_while_others_compute_does_not_hang(printed):
        code = """
            import os, threading, warnings
            import numpy as np, lsecy
            warnings.simplefilter("ignore")
            a = np.ones(3_000_000)
            expected = lsecy.logsumexp(a)
            stop = threading.Event()
            def busy():
                while not stop.is_set():
                    lsecy.logsumexp(a)
            thread = threading.Thread(target=busy)
            thread.start()
            codes = []
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    os._exit(int(lsecy.logsumexp(a) != expected))
                codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            stop.set()
            thread.join()
            print(sum(codes))
        """
        assert printed(code) == "0"


def test_a_spawned_pool_computes(tmp_path, printed):
    (tmp_path / "spawned.py").write_text(
        textwrap.dedent("""
            import multiprocessing
            import numpy as np, lsecy
            if __name__ == "__main__":
                a = np.ones((2, 500_000))
                with multiprocessing.get_context("spawn").Pool(2) as pool:
                    print(pool.map(lsecy.logsumexp, list(a)) == lsecy.logsumexp(a, axis=1).tolist())
        """)
    )
    assert printed("import runpy; runpy.run_path('spawned.py', run_name='__main__')") == "True"
