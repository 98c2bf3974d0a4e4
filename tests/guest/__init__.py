"""phxactor as the guest of asyncio."""
