/** What the page says, by what it says in English. */
export const GERMAN: Readonly<Record<string, string>> = {
  // While something is under way
  'Starting…': 'Wird gestartet …',
  'Computing fingerprints…': 'Fingerabdrücke werden berechnet …',
  'Going to the signing service…': 'Weiter zum Signaturdienst …',
  'Checking a copy with one byte changed…': 'Eine Kopie mit einem geänderten Byte wird geprüft …',
  'Finishing…': 'Wird abgeschlossen …',
  'Starting again…': 'Wird neu begonnen …',
  'Going back…': 'Zurück …',
  'Handing over document {number} of {count}…': 'Dokument {number} von {count} wird übergeben …',
  'Checking signature {number} of {count}…': 'Signatur {number} von {count} wird geprüft …',
  'Reading your certificates…': 'Ihre Zertifikate werden gelesen …',
  'Signing…': 'Wird signiert …',
  'Checking the signatures…': 'Die Signaturen werden geprüft …',

  // Steps
  Progress: 'Fortschritt',
  Documents: 'Dokumente',
  'Sign in': 'Anmelden',
  Certificate: 'Zertifikat',
  Approve: 'Freigeben',
  Signature: 'Signatur',
  'Step {step} of {all}: {name}': 'Schritt {step} von {all}: {name}',
  Done: 'Fertig',
  '(done)': '(erledigt)',

  // Around the steps
  'This is a sandbox': 'Das ist eine Testumgebung',
  'The service': 'Der Dienst',
  'comes with demo users. The command that started it,':
    'bringt Benutzer zum Ausprobieren mit. Der Befehl, der ihn gestartet hat,',
  ', printed one of them with password and one-time code; the others are in':
    ', hat einen davon mit Passwort und Einmalcode ausgegeben; die anderen stehen in',
  'Signatures made here work like real ones, but have no legal effect.':
    'Signaturen von hier funktionieren wie echte, haben aber keine rechtliche Wirkung.',
  Dismiss: 'Schließen',
  'Copy {what}': '{what} kopieren',
  Copy: 'Kopieren',
  Copied: 'Kopiert',
  bytes: 'Bytes',

  // Documents
  'What do you want to sign?': 'Was möchten Sie signieren?',
  'A PDF becomes a signed PDF: the signing service shows it to you before you approve, and puts the signature into it. Any other file stays in this browser: only its fingerprint, a hash from which the content cannot be restored, goes to the service.':
    'Ein PDF wird zu einem signierten PDF: Der Signaturdienst zeigt es Ihnen, bevor Sie freigeben, und setzt die Signatur hinein. Jede andere Datei bleibt in diesem Browser: Nur ihr Fingerabdruck, ein Hashwert, aus dem der Inhalt nicht wiederhergestellt werden kann, geht an den Dienst.',
  'Add more: drop them here or': 'Weitere: hier ablegen oder',
  'Drop documents here, or': 'Dokumente hier ablegen oder',
  'Choose files': 'Dateien auswählen',
  'Use a sample': 'Beispiel verwenden',
  'Documents to sign': 'Zu signierende Dokumente',
  '1 document': '1 Dokument',
  '{count} documents': '{count} Dokumente',
  '(the most this demonstration takes)': '(mehr nimmt diese Vorführung nicht)',
  'Remove {name}': '{name} entfernen',
  'Sign in to continue': 'Anmelden und weiter',
  'You are taken to the signing service. Your password goes there and nowhere else; this page never sees it.':
    'Sie kommen zum Signaturdienst. Ihr Passwort geht dorthin und nirgends sonst hin; diese Seite sieht es nie.',
  'Not everything fits': 'Nicht alles passt',
  'This demonstration takes up to {count} documents of {megabytes} MB altogether.':
    'Diese Vorführung nimmt bis zu {count} Dokumente mit zusammen {megabytes} MB.',
  'This document is here already': 'Dieses Dokument ist schon da',
  '“{name}” has the same content as one you chose before.':
    '„{name}“ hat denselben Inhalt wie eines, das Sie schon gewählt haben.',

  // Where the signature is seen
  'Signature on {name}': 'Signatur auf {name}',
  'Show the signature on a page': 'Die Signatur auf einer Seite zeigen',
  'This PDF opens only with a password, so the service cannot sign it. Please choose a copy without a password.':
    'Dieses PDF öffnet sich nur mit einem Passwort; der Dienst kann es nicht signieren. Bitte wählen Sie eine Kopie ohne Passwort.',
  'This PDF is protected against changes, so the service cannot sign it. Please choose a copy without protection.':
    'Dieses PDF ist gegen Änderungen geschützt; der Dienst kann es nicht signieren. Bitte wählen Sie eine Kopie ohne Schutz.',
  'This browser cannot open the document: it may be damaged, and then the service will not sign it. You can still say where the signature goes.':
    'Dieser Browser kann das Dokument nicht öffnen: Vielleicht ist es beschädigt, dann signiert der Dienst es nicht. Sie können trotzdem angeben, wohin die Signatur kommt.',
  'Page, of {pages}': 'Seite, von {pages}',
  'movable box': 'verschiebbarer Rahmen',
  'Arrow keys move it by a millimetre, with Shift by ten. With Alt they change its size.':
    'Pfeiltasten verschieben ihn um einen Millimeter, mit Umschalt um zehn. Mit Alt ändern sie seine Größe.',
  'Page {page}, {left} mm from the left, {bottom} mm from the bottom, {width} by {height} mm':
    'Seite {page}, {left} mm von links, {bottom} mm von unten, {width} mal {height} mm',
  Page: 'Seite',
  'From the left, mm': 'Von links, mm',
  'From the bottom, mm': 'Von unten, mm',
  'Width, mm': 'Breite, mm',
  'Height, mm': 'Höhe, mm',

  // Certificates
  'With which certificate?': 'Mit welchem Zertifikat?',
  'There is no certificate in this account that can sign now. You can go back and sign in with another one.':
    'In diesem Konto ist kein Zertifikat, das jetzt signieren kann. Sie können zurückgehen und sich mit einem anderen anmelden.',
  'The private keys of these certificates are held by the service and never leave it.':
    'Die privaten Schlüssel dieser Zertifikate liegen beim Dienst und verlassen ihn nie.',
  'Go to approval': 'Zur Freigabe',
  Back: 'Zurück',
  'Issued by': 'Ausgestellt von',
  ', valid until {day}': ', gültig bis {day}',
  'Sole control assurance level 2: approval is bound to the hashes':
    'Sole control assurance level 2: Die Freigabe ist an die Hashwerte gebunden',
  'up to 1 document': 'bis zu 1 Dokument',
  'up to {count} documents': 'bis zu {count} Dokumente',
  'Signs fewer documents at once than you chose.':
    'Signiert weniger Dokumente auf einmal, als Sie gewählt haben.',
  'What you will be asked to approve': 'Was Sie freigeben sollen',
  'Compare: the approval page shows the same {hash} fingerprint.':
    'Vergleichen Sie: Die Freigabeseite zeigt denselben {hash}-Fingerabdruck.',
  'Compare: the approval page shows the same {hash} fingerprints.':
    'Vergleichen Sie: Die Freigabeseite zeigt dieselben {hash}-Fingerabdrücke.',

  // Signatures
  '1 signature': '1 Signatur',
  '{count} signatures': '{count} Signaturen',
  'Signed by': 'Signiert von',
  'Signed, not checked': 'Signiert, nicht geprüft',
  'This does not verify': 'Das lässt sich nicht bestätigen',
  'The service could not check it just now. Take it away, and check it later.':
    'Der Dienst konnte es gerade nicht prüfen. Nehmen Sie es mit und prüfen Sie es später.',
  'At least one signature or certificate does not fit. Do not rely on it.':
    'Mindestens eine Signatur oder ein Zertifikat passt nicht. Verlassen Sie sich nicht darauf.',
  'Each is signed by the next. In a sandbox, the last one is trusted by nobody else.':
    'Jedes ist vom nächsten signiert. In einer Testumgebung vertraut dem letzten sonst niemand.',
  'The chain is broken.': 'Die Kette ist unterbrochen.',
  Validity: 'Gültigkeit',
  '{from} to {to}': '{from} bis {to}',
  Algorithm: 'Verfahren',
  '{algorithm} with {hash}': '{algorithm} mit {hash}',
  'Serial number': 'Seriennummer',
  'The signature over your document': 'Die Signatur über Ihr Dokument',
  'Each of the {count} signatures over your documents':
    'Jede der {count} Signaturen über Ihre Dokumente',
  '{what} passed validation by the service just now.':
    '{what} hat eben die Prüfung durch den Dienst bestanden.',
  '{what} passed: PDFs were validated by the service, the others by this browser.':
    '{what} hat bestanden: PDFs hat der Dienst geprüft, die anderen dieser Browser.',
  '{what} passed: this browser has just checked with the public key of the certificate.':
    '{what} hat bestanden: Dieser Browser hat eben mit dem öffentlichen Schlüssel des Zertifikats geprüft.',
  'Not checked': 'Nicht geprüft',
  Valid: 'Gültig',
  'Not valid': 'Ungültig',
  'Still valid?': 'Noch gültig?',
  signature: 'Signatur',
  'Signature, Base64': 'Signatur, Base64',
  'Signature (.sig)': 'Signatur (.sig)',
  'Signed PDF': 'Signiertes PDF',
  'Certificates (.pem)': 'Zertifikate (.pem)',
  'Change one byte and check again': 'Ein Byte ändern und erneut prüfen',
  'That must not happen.': 'Das darf nicht sein.',
  'As it should be: in a copy, byte {at} was changed, and the signature no longer fits. The original is untouched.':
    'Wie es sein soll: In einer Kopie wurde Byte {at} geändert, und die Signatur passt nicht mehr. Das Original ist unberührt.',
  'Check it yourself, without this page': 'Prüfen Sie selbst, ohne diese Seite',
  command: 'Befehl',
  'Command that checks the signature': 'Befehl, der die Signatur prüft',
  Finish: 'Abschließen',
  'Revokes the token of this approval and removes the documents from this browser. Download what you want to keep first.':
    'Widerruft das Token dieser Freigabe und entfernt die Dokumente aus diesem Browser. Laden Sie vorher herunter, was Sie behalten möchten.',

  // Validation report
  'Validation report': 'Prüfbericht',
  Result: 'Ergebnis',
  Passed: 'Bestanden',
  'Not certain': 'Nicht sicher',
  Failed: 'Nicht bestanden',
  Format: 'Format',
  Signer: 'Unterzeichner',
  'Signed before': 'Signiert vor',
  'Signed, as it says': 'Signiert, nach eigener Angabe',
  Covers: 'Umfasst',
  'The whole file': 'Die ganze Datei',
  'The whole document; what proves its validity was added since':
    'Das ganze Dokument; seither kam hinzu, was seine Gültigkeit belegt',
  'An earlier state: something was changed since':
    'Einen früheren Stand: Seither wurde etwas geändert',
  Notes: 'Hinweise',
  'There is no signature in it.': 'Es ist keine Signatur darin.',

  // The end
  'All done': 'Alles erledigt',
  'The token is revoked, and this browser has forgotten the documents. Whoever has the document, the signature and the certificate can check them at any time, without us.':
    'Das Token ist widerrufen, und dieser Browser hat die Dokumente vergessen. Wer Dokument, Signatur und Zertifikat hat, kann sie jederzeit prüfen, ohne uns.',
  'Sign something else': 'Etwas anderes signieren',

  // For developers
  'What just happened': 'Was eben geschah',
  '{count} messages, for developers': '{count} Nachrichten, für Entwickler',
  'This page uses only the public API: CSC API v2 and OAuth 2.0 with PKCE. Codes and tokens are masked.':
    'Diese Seite nutzt nur die öffentliche Schnittstelle: CSC API v2 und OAuth 2.0 mit PKCE. Codes und Tokens sind unkenntlich gemacht.',
  'browser →': 'Browser →',
  Request: 'Anfrage',
  Response: 'Antwort',
  'Ask the service what it is': 'Den Dienst fragen, was er ist',
  'Find the authorization server': 'Den Autorisierungsserver finden',
  'Push the authorization request': 'Die Autorisierungsanfrage hinterlegen',
  'Send the browser to sign in': 'Den Browser zum Anmelden schicken',
  'Send the browser to approve': 'Den Browser zum Freigeben schicken',
  'Come back from the authorization server': 'Vom Autorisierungsserver zurück',
  'Exchange the code for a service token': 'Den Code gegen ein Dienst-Token tauschen',
  'Exchange the code for a credential token': 'Den Code gegen ein Signatur-Token tauschen',
  'List the credentials': 'Die Zertifikate auflisten',
  'Leave the document for the approval page': 'Das Dokument für die Freigabeseite hinterlegen',
  'Sign the approved hashes': 'Die freigegebenen Hashwerte signieren',
  'Sign the approved PDF': 'Das freigegebene PDF signieren',
  'Have the signed PDF checked': 'Das signierte PDF prüfen lassen',
  'Revoke the access token': 'Das Zugriffs-Token widerrufen',
  'Revoke the refresh token': 'Das Erneuerungs-Token widerrufen',

  // What goes wrong
  'This page signs with the cryptography of the browser, which needs https:// or a local address such as http://127.0.0.1.':
    'Diese Seite nutzt die Kryptographie des Browsers; dafür braucht sie https:// oder eine lokale Adresse wie http://127.0.0.1.',
  'Please open this page at the address of the service':
    'Bitte öffnen Sie diese Seite unter der Adresse des Dienstes',
  'Sign-in returns to the address the service is known by.':
    'Die Anmeldung führt zu der Adresse zurück, unter der der Dienst bekannt ist.',
  'The answer was not taken': 'Die Antwort wurde nicht angenommen',
  'Nothing had been asked for in this tab. Please go on from here.':
    'In diesem Tab war nichts angefragt. Bitte machen Sie hier weiter.',
  'It does not belong to the request this tab had sent. Please try again.':
    'Sie gehört nicht zu der Anfrage aus diesem Tab. Bitte versuchen Sie es noch einmal.',
  'It does not name the service that was asked. Please try again.':
    'Sie nennt nicht den Dienst, der gefragt wurde. Bitte versuchen Sie es noch einmal.',
  'It carries neither a code nor a reason. Please try again.':
    'Sie enthält weder einen Code noch einen Grund. Bitte versuchen Sie es noch einmal.',
  'The documents are gone': 'Die Dokumente sind nicht mehr da',
  'This browser did not keep them while you were away. Please choose them again.':
    'Dieser Browser hat sie nicht behalten, während Sie fort waren. Bitte wählen Sie sie noch einmal aus.',
  'The certificate that was chosen is no longer known here.':
    'Das gewählte Zertifikat ist hier nicht mehr bekannt.',
  'The signatures do not belong to the documents that are here.':
    'Die Signaturen gehören nicht zu den Dokumenten, die hier sind.',
  'The signing service did not answer. Please reload the page.':
    'Der Signaturdienst hat nicht geantwortet. Bitte laden Sie die Seite neu.',
  'The documents could not be kept': 'Die Dokumente konnten nicht behalten werden',
  'The browser offers no storage': 'Der Browser bietet keinen Speicher',
  'You did not sign in': 'Sie haben sich nicht angemeldet',
  'Your documents are still here. You can try again.':
    'Ihre Dokumente sind noch da. Sie können es noch einmal versuchen.',
  'You did not approve the signature': 'Sie haben die Signatur nicht freigegeben',
  'Nothing was signed. You can try again, or choose another certificate.':
    'Es wurde nichts signiert. Sie können es noch einmal versuchen oder ein anderes Zertifikat wählen.',
  'The service is busy': 'Der Dienst ist ausgelastet',
  'Please try again in a moment. Nothing was signed.':
    'Bitte versuchen Sie es gleich noch einmal. Es wurde nichts signiert.',
  'Signing in did not work': 'Die Anmeldung hat nicht geklappt',
  'The signature could not be approved': 'Die Signatur konnte nicht freigegeben werden',
  'The service says: {why}. Nothing was signed; you can try again.':
    'Der Dienst sagt: {why}. Es wurde nichts signiert; Sie können es noch einmal versuchen.',
  'The service refused the request': 'Der Dienst hat die Anfrage abgelehnt',
  'It says: {why}. You can try again from here, or go back and choose something else.':
    'Er sagt: {why}. Sie können es von hier noch einmal versuchen oder zurückgehen und etwas anderes wählen.',
  'A document is too large for the service': 'Ein Dokument ist zu groß für den Dienst',
  '“{name}” was not signed. Please choose a smaller document.':
    '„{name}“ wurde nicht signiert. Bitte wählen Sie ein kleineres Dokument.',
  'The service cannot be reached': 'Der Dienst ist nicht erreichbar',
  'Please check that it is running, then reload the page. Your documents are kept.':
    'Bitte prüfen Sie, ob er läuft, und laden Sie die Seite dann neu. Ihre Dokumente bleiben erhalten.',
  'That did not work': 'Das hat nicht geklappt',
}
