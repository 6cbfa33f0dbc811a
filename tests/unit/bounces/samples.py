"""Reports as the world's mail servers write them, with names changed."""

POSTFIX = """\
Return-Path: <>
Received: by mx.example.org (Postfix)
\tid 4F1C2A3B7D; Mon, 24 Nov 2025 10:00:01 +0000 (UTC)
Date: Mon, 24 Nov 2025 10:00:01 +0000 (UTC)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: b+token@bounces.example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="3F1C2A3B7C.1763978401/mx.example.org"
Content-Transfer-Encoding: 8bit
Message-Id: <20251124100001.4F1C2A3B7D@mx.example.org>

This is a MIME-encapsulated message.

--3F1C2A3B7C.1763978401/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

This is the mail system at host mx.example.org.

<ann@example.net>: host mail.example.net[192.0.2.7] said: 550 5.1.1
    <ann@example.net>: Recipient address rejected: User unknown in virtual
    mailbox table (in reply to RCPT TO command)

--3F1C2A3B7C.1763978401/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 3F1C2A3B7C
X-Postfix-Sender: rfc822; b+token@bounces.example.com
Arrival-Date: Mon, 24 Nov 2025 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; ann@example.net
Original-Recipient: rfc822;ann@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.net
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.net>: Recipient address rejected:
    User unknown in virtual mailbox table

--3F1C2A3B7C.1763978401/mx.example.org
Content-Description: Undelivered Message
Content-Type: message/rfc822

Subject: Hello

Good morning
--3F1C2A3B7C.1763978401/mx.example.org--
"""

EXIM = """\
From: Mail Delivery System <Mailer-Daemon@mail.example.org>
To: b+token@bounces.example.com
Auto-Submitted: auto-replied
X-Failed-Recipients: ann@example.net
Content-Type: multipart/report; report-type=delivery-status; boundary=1763978401-eximdsn-1804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1763978401-eximdsn-1804289383
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

--1763978401-eximdsn-1804289383
Content-type: message/delivery-status

Reporting-MTA: dns; mail.example.org

Action: failed
Final-Recipient: rfc822;ann@example.net
Status: 5.0.0
Remote-MTA: dns; mail.example.net
Diagnostic-Code: smtp; 550 5.2.1 The email account that you tried to reach is disabled

--1763978401-eximdsn-1804289383
Content-type: message/rfc822

Subject: Hello

--1763978401-eximdsn-1804289383--
"""

EXIM_OLD = """\
X-Failed-Recipients: ann@example.net
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.org>
To: b+token@bounces.example.com
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.net
    SMTP error from remote mail server after RCPT TO:<ann@example.net>:
    host mail.example.net [192.0.2.7]: 550 5.1.1 no such user here
"""

EXCHANGE = """\
From: <postmaster@example.onmicrosoft.com>
To: <b+token@bounces.example.com>
Date: Mon, 24 Nov 2025 10:00:01 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="d9d5f1a4-1b1e-4c0e-9f55-8a4f1f5e9b51"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Subject: Undeliverable: Hello
Auto-Submitted: auto-replied
MIME-Version: 1.0

--d9d5f1a4-1b1e-4c0e-9f55-8a4f1f5e9b51
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="73ff4a1c-9aa5-44c5-8a6a-6f2f8a6f0a16"

--73ff4a1c-9aa5-44c5-8a6a-6f2f8a6f0a16
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to ann@example.net couldn't be delivered.

--73ff4a1c-9aa5-44c5-8a6a-6f2f8a6f0a16
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><b>Your message couldn't be delivered.</b></html>

--73ff4a1c-9aa5-44c5-8a6a-6f2f8a6f0a16--

--d9d5f1a4-1b1e-4c0e-9f55-8a4f1f5e9b51
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01MB0001.eurprd01.prod.exchangelabs.com
Received-From-MTA: dns;mail.example.com
Arrival-Date: Mon, 24 Nov 2025 10:00:00 +0000

Final-Recipient: rfc822;ann@example.net
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; ann@example.net not found

--d9d5f1a4-1b1e-4c0e-9f55-8a4f1f5e9b51
Content-Type: message/rfc822

Subject: Hello

--d9d5f1a4-1b1e-4c0e-9f55-8a4f1f5e9b51--
"""

GMAIL = """\
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: b+token@bounces.example.com
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
Content-Type: multipart/report; boundary="000000000000a1b2c3064f"; report-type=delivery-status

--000000000000a1b2c3064f
Content-Type: multipart/related; boundary="000000000000a1b2d4065a"

--000000000000a1b2d4065a
Content-Type: multipart/alternative; boundary="000000000000a1b2d5065b"

--000000000000a1b2d5065b
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--000000000000a1b2d5065b
Content-Type: text/html; charset="UTF-8"

<html>Address not found</html>

--000000000000a1b2d5065b--
--000000000000a1b2d4065a
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64

iVBORw0KGgoAAAANSUhEUg==
--000000000000a1b2d4065a--
--000000000000a1b2c3064f
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Mon, 24 Nov 2025 02:00:00 -0800 (PST)
X-Original-Message-ID: <local-u0010000000@example.com>

Final-Recipient: rfc822; ann@gmail.example
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; The recipient's inbox is out of storage space. For more information, go to
 https://support.google.example/mail/?p=OverQuotaPerm
Last-Attempt-Date: Mon, 24 Nov 2025 02:00:01 -0800 (PST)

--000000000000a1b2c3064f
Content-Type: message/rfc822

Subject: Hello

--000000000000a1b2c3064f--
"""

QMAIL = """\
From: MAILER-DAEMON@mail.example.org
To: b+token@bounces.example.com
Subject: failure notice

Hi. This is the qmail-send program at mail.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@example.net>:
Sorry, no mailbox here by that name. (#5.1.1)
"""

YAHOO_ARF = """\
From: <feedback@arf.mail.yahoo.example>
To: <fbl@bounces.example.com>
Subject: Customer complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54"

--part1_13d.2e68ed54
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for a message received on Mon, 24 Nov 2025.

--part1_13d.2e68ed54
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Yahoo!-Mail-Feedback/2.0
Version: 0.1
Original-Mail-From: <b+token@bounces.example.com>
Original-Rcpt-To: ann@yahoo.example
Received-Date: Mon, 24 Nov 2025 10:00:00 PST

--part1_13d.2e68ed54
Content-Type: message/rfc822

Subject: Hello

--part1_13d.2e68ed54--
"""

OUT_OF_OFFICE = """\
From: Ann <ann@example.net>
To: b+token@bounces.example.com
Subject: Automatic reply: Hello
Auto-Submitted: auto-generated
X-Auto-Response-Suppress: All
Content-Type: multipart/alternative; boundary="_000_x_"

--_000_x_
Content-Type: text/plain; charset="us-ascii"

I am away. Call extension 5.1.1 or +1 550 511.

--_000_x_
Content-Type: text/html

<p>I am away.</p>
--_000_x_--
"""

PERSON = """\
From: Ann <ann@example.net>
To: b+token@bounces.example.com
Subject: Re: Hello

Thank you! (By the way, your last mail said 550 5.1.1.)
"""


def dsn(*recipients: str, text_before: str = "Reporting-MTA: dns; mx.example.org") -> str:
    """A report with these groups about recipients."""
    groups = "\n\n".join([text_before, *recipients])
    return (
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nHello\n"
        f"--b\nContent-Type: message/delivery-status\n\n{groups}\n\n--b--\n"
    )


def arf(kind: str) -> str:
    """A feedback report of this kind."""
    return YAHOO_ARF.replace("Feedback-Type: abuse", f"Feedback-Type: {kind}")
