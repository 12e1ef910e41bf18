import numpy as np

logaddexp: np.ufunc
logsubexp: np.ufunc
signed_logsubexp: np.ufunc
log1mexp: np.ufunc
log1pexp: np.ufunc

def use_tables(table_32: object, table_64: object) -> None: ...
