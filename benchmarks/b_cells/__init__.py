"""Class-switched memory B cells and CD40, against the truth of simulated donors and gates of real recordings."""
