"""Real recordings of B cells measured, beside gates drawn by hand."""


def real_page() -> list[str]:
    return []
