"""A mail server for one test: takes letters on loopback, says each as a line of JSON, and each wrong login.

mail_server.py CERTIFICATE KEY     STARTTLS and a login (user `vault`, password `right`) are required.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Said:
    async def handle_DATA(self, server, session, envelope):
        letter = {
            "tls": session.ssl is not None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode(),
        }
        print(json.dumps(letter), flush=True)
        refused = any(to.startswith("gone@") for to in envelope.rcpt_tos)
        return "550 no such mailbox" if refused else "250 taken"


def known(server, session, envelope, mechanism, login):
    right = (login.login, login.password) == (b"vault", b"right")
    if not right:
        print(json.dumps({"refused": login.login.decode()}), flush=True)
    # Not handled here: the server itself says 535.
    return AuthResult(success=right, handled=False)


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    options = {"tls_context": tls, "require_starttls": True, "authenticator": known, "auth_required": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Said(), loop=loop, **options), "127.0.0.1", 0)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await server.serve_forever()


asyncio.run(main())
