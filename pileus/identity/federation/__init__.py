"""Federation (OS-FEDERATION): users whom somebody else vouches for, and what this cloud vouches for elsewhere."""
