"""Bounces and complaints about e-mail: taken by SMTP, understood, and journaled as receipts."""
