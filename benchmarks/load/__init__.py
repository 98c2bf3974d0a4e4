"""The load generator: a process of its own that drives a server over many WebSockets and checks every answer.

python -m benchmarks.load echo --port 4100 --server-pid 1234 --connections 50 --window 8
"""
