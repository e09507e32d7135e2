"""How long a certificate is good for, by this machine's clock."""

from datetime import datetime, timezone

from edge_runtime.doctor.findings import Finding, ok, problem, warning

_SOON_S = 30 * 86_400


def judge_certificate(subject: str, pem: bytes, now_s: float) -> Finding:
    """`pem`: certificates, of which the one that ends first counts; `now_s`: Unix seconds."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return problem(
            f"{subject}: expected a certificate in PEM, found something else.", "Replace the file."
        )
    begins = max(each.not_valid_before_utc.timestamp() for each in found)
    ends = min(each.not_valid_after_utc.timestamp() for each in found)
    if now_s < begins:
        return problem(
            f"{subject}: is good from {_day(begins)} on, by this machine's clock a day to come.",
            "Check the clock first; if it is right, the certificate is not.",
        )
    if now_s > ends:
        return problem(
            f"{subject}: ended on {_day(ends)}.",
            "Check the clock; if it is right, bring a new certificate. The agent needs no restart.",
        )
    if now_s > ends - _SOON_S:
        return warning(f"{subject}: ends on {_day(ends)}.", "Bring a new certificate before that day.")
    return ok(f"{subject}: is good until {_day(ends)}.")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")
