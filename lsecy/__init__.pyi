from lsecy import _drivers as _drivers
from lsecy import _threads as _threads
from lsecy._config import __version__, show_config
from lsecy._reductions import logsumexp
from lsecy._threads import get_num_threads, set_num_threads, threads

__all__ = ["__version__", "get_num_threads", "logsumexp", "set_num_threads", "show_config", "threads"]
