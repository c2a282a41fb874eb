"""Attachments: taken in, looked at, kept, handed out and swept. The bytes only; the rows are in `chat.uploads`."""
