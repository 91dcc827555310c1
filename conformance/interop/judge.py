"""
Has pyHanko judge signatures by EN 319 102-1, one after the other, as starting it takes a second.

Each line of the input has, with tabs between: P or C, the level, the trust anchor, the file, and the content of a
detached signature or nothing. The answer: what it complains of, if anything, then an empty line.
"""

import asyncio
import hashlib
import sys

from asn1crypto import cms, crl, ocsp
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import (
    ades_basic_validation,
    ades_lta_validation,
    ades_with_time_validation,
)
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer, OCSPContainer


def specification(root, revocation, known=LocalKnowledge()):
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([root]),
        revinfo_policy=CertRevTrustPolicy(revocation),
    )
    return SignatureValidationSpec(cert_validation_policy=policy, local_knowledge=known)


def basic_or_timed(level):
    return ades_basic_validation if level == "B-B" else ades_with_time_validation


def held_by(reader):
    """What the document holds for its own validation."""
    store = DocumentSecurityStore.read_dss(reader)
    responses = [ocsp.OCSPResponse.load(each.get_object().data) for each in store.ocsps]
    lists = [crl.CertificateList.load(each.get_object().data) for each in store.crls]
    return LocalKnowledge(
        known_ocsps=[OCSPContainer(ocsp_response_data=each) for each in responses],
        known_crls=[CRLContainer(each) for each in lists],
        known_certs=list(store.load_certs()),
    )


async def judge_pdf(level, root, file):
    reader = PdfFileReader(open(file, "rb"), strict=True)
    embedded = reader.embedded_regular_signatures[-1]
    if level == "B-LTA":
        spec = PdfSignatureValidationSpec(specification(root, REQUIRE_REVINFO))
        return str((await ades_lta_validation(embedded, spec)).ades_subindic)
    spec = specification(root, NO_REVOCATION)
    if level == "B-LT":
        spec = specification(root, REQUIRE_REVINFO, held_by(reader))
    embedded.compute_integrity_info()
    digest = embedded.compute_digest()
    validate = basic_or_timed(level)
    return str((await validate(embedded.signed_data, spec, raw_digest=digest)).ades_subindic)


async def judge_cms(level, root, file, content):
    signed = cms.ContentInfo.load(open(file, "rb").read(), strict=True)["content"]
    digest = None
    if content:
        algorithm = signed["signer_infos"][0]["digest_algorithm"]["algorithm"].native
        digest = hashlib.new(algorithm, open(content, "rb").read()).digest()
    spec = specification(root, NO_REVOCATION)
    return str((await basic_or_timed(level)(signed, spec, raw_digest=digest)).ades_subindic)


def verdict(family, level, root_file, file, content):
    root = load_cert_from_pemder(root_file)
    try:
        if family == "P":
            return asyncio.run(judge_pdf(level, root, file))
        return asyncio.run(judge_cms(level, root, file, content))
    except Exception as error:  # what it cannot read is a verdict, too
        return " ".join(f"{type(error).__name__}: {error}".split())


for line in sys.stdin:
    said = verdict(*line.rstrip("\n").split("\t"))
    if said != "AdESPassed.OK":
        print(said)
    print(flush=True)
