"""What finished graphs are given to, to see what becomes of them there."""
