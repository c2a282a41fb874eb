"""The smallest bot, and the example in the README: it says what you said. `python -m bots.echo --url … --token …`."""

import argparse

from bots import Bot, Message


def main() -> None:
    """Read the command line and answer until stopped."""
    parser = argparse.ArgumentParser(prog="python -m bots.echo", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the service listens")
    parser.add_argument("--token", required=True, help="the bot's API token (shopbell token --bot NAME)")
    options = parser.parse_args()
    bot = Bot(options.url, token=options.token)

    @bot.on_message
    async def answer(message: Message) -> None:
        await message.reply(f"You said {message.text}")

    bot.run()


if __name__ == "__main__":
    main()
