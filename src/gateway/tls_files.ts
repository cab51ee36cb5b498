/** Whether the files of TLS can be used: uWebSockets.js only says that it cannot start. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Tls {
  /** PEM; the certificate's file holds its chain, too. */
  keyFile: string;
  certificateFile: string;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

function keyOf(file: string): KeyObject {
  const text = read(file);
  if (/ENCRYPTED/.test(text))
    throw new Error(`${file} is encrypted, and nobody is there to type its passphrase: store the key without one`);
  try {
    return createPrivateKey(text);
  } catch {
    throw new Error(`${file} holds no private key in PEM ("-----BEGIN PRIVATE KEY-----")`);
  }
}

function certificateOf(file: string): X509Certificate {
  const text = read(file);
  try {
    return new X509Certificate(text);
  } catch {
    throw new Error(`${file} holds no certificate in PEM ("-----BEGIN CERTIFICATE-----")`);
  }
}

/** Throws an Error that names the file and what is wrong with it; says nothing of what is in the key. */
export function checkTlsFiles({ certificateFile, keyFile }: Tls): void {
  const key = keyOf(keyFile);
  const certificate = certificateOf(certificateFile);
  if (!certificate.checkPrivateKey(key))
    throw new Error(
      `the first certificate of ${certificateFile} is not for the key in ${keyFile}: the chain comes after it`,
    );
}
