"""phxactor around uvicorn."""
