"""Has pyHanko judge a signature by EN 319 102-1: judge.py P|C LEVEL ROOT.pem FILE [CONTENT]. Prints one line."""

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

family, level, root_file, file, *content = sys.argv[1:]
root = load_cert_from_pemder(root_file)
validate = ades_basic_validation if level == "B-B" else ades_with_time_validation


def specification(revocation, known=LocalKnowledge()):
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([root]),
        revinfo_policy=CertRevTrustPolicy(revocation),
    )
    return SignatureValidationSpec(cert_validation_policy=policy, local_knowledge=known)


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


async def judge_pdf():
    reader = PdfFileReader(open(file, "rb"), strict=True)
    embedded = reader.embedded_regular_signatures[-1]
    if level == "B-LTA":
        spec = PdfSignatureValidationSpec(specification(REQUIRE_REVINFO))
        return str((await ades_lta_validation(embedded, spec)).ades_subindic)
    spec = specification(NO_REVOCATION)
    if level == "B-LT":
        spec = specification(REQUIRE_REVINFO, held_by(reader))
    embedded.compute_integrity_info()
    digest = embedded.compute_digest()
    return str((await validate(embedded.signed_data, spec, raw_digest=digest)).ades_subindic)


async def judge_cms():
    signed = cms.ContentInfo.load(open(file, "rb").read(), strict=True)["content"]
    digest = None
    if content:
        algorithm = signed["signer_infos"][0]["digest_algorithm"]["algorithm"].native
        digest = hashlib.new(algorithm, open(content[0], "rb").read()).digest()
    result = await validate(signed, specification(NO_REVOCATION), raw_digest=digest)
    return str(result.ades_subindic)


try:
    verdict = asyncio.run(judge_pdf() if family == "P" else judge_cms())
except Exception as error:  # what it cannot read is a verdict, too
    verdict = f"{type(error).__name__}: {error}"
print(verdict)
sys.exit(0 if verdict == "AdESPassed.OK" else 1)
