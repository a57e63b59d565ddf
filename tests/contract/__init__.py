"""What passes between client and simulator on API v2, held against the vendor's contract."""
