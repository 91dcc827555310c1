import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.enumerations.Indication;
import eu.europa.esig.dss.jaxb.object.Message;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.service.crl.OnlineCRLSource;
import eu.europa.esig.dss.service.ocsp.OnlineOCSPSource;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.client.http.NativeHTTPDataLoader;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.reports.Reports;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Has the Digital Signature Services of the European Commission judge signatures, one after the other, as
 * starting them takes seconds.
 *
 * Each line of the input has, with tabs between: the level the signature has to be found at, the trust anchor,
 * the file, and the content of a detached signature. The answer: a line for each complaint, then an empty one.
 */
public class DssJudge {
  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] fields = line.split("\t");
      try {
        judge(fields, out);
      } catch (Exception | StackOverflowError error) {
        say(out, "", error.toString());
      }
      out.println();
    }
  }

  private static void judge(String[] fields, PrintStream out) {
    String level = fields[0];
    SignedDocumentValidator validator =
        SignedDocumentValidator.fromDocument(new FileDocument(fields[2]));
    validator.setCertificateVerifier(verifier(fields[1], level));
    if (fields.length > 3) validator.setDetachedContents(List.of(new FileDocument(fields[3])));
    Reports reports = validator.validateDocument();
    SimpleReport report = reports.getSimpleReport();
    if (report.getSignatureIdList().isEmpty()) say(out, "", "no signature");
    for (String id : report.getSignatureIdList()) {
      String found = String.valueOf(report.getSignatureFormat(id));
      if (!found.equals(level)) say(out, "", "found " + found);
      demand(out, "signature", report, id);
      SignatureWrapper signature = reports.getDiagnosticData().getSignatureById(id);
      for (String each : signature.getStructuralValidationMessages()) say(out, "schema: ", each);
      report.getSignatureTimestamps(id)
          .forEach(each -> demand(out, "timestamp", report, each.getId()));
    }
    for (String id : report.getTimestampIdList()) demand(out, "timestamp", report, id);
  }

  private static void demand(PrintStream out, String what, SimpleReport report, String id) {
    Indication indication = report.getIndication(id);
    if (indication != Indication.TOTAL_PASSED && indication != Indication.PASSED) {
      say(out, what + ": ", indication + " " + report.getSubIndication(id));
    }
    say(out, what + ": ", report.getAdESValidationErrors(id));
    say(out, what + ": warning: ", report.getAdESValidationWarnings(id));
  }

  /** Validation data of B-LT and above are in the signature, and nothing else counts there. */
  private static CommonCertificateVerifier verifier(String trustAnchor, String level) {
    CommonTrustedCertificateSource trusted = new CommonTrustedCertificateSource();
    trusted.addCertificate(DSSUtils.loadCertificate(new File(trustAnchor)));
    CommonCertificateVerifier verifier = new CommonCertificateVerifier();
    verifier.setTrustedCertSources(trusted);
    verifier.setAIASource(null);
    if (level.endsWith("-B") || level.endsWith("-T")) {
      NativeHTTPDataLoader loader = new NativeHTTPDataLoader();
      loader.setConnectTimeout(5_000);
      loader.setReadTimeout(5_000);
      verifier.setCrlSource(new OnlineCRLSource(loader));
      verifier.setOcspSource(new OnlineOCSPSource(loader));
    }
    return verifier;
  }

  private static void say(PrintStream out, String prefix, List<Message> messages) {
    for (Message each : messages) say(out, prefix, each.getValue());
  }

  private static void say(PrintStream out, String prefix, String text) {
    out.println((prefix + text).replaceAll("\\s+", " "));
  }
}
