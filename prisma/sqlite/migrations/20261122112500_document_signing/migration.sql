-- AlterTable
ALTER TABLE "AuthorisedDigest" ADD COLUMN "derivation" TEXT;
ALTER TABLE "AuthorisedDigest" ADD COLUMN "hashType" TEXT;
ALTER TABLE "AuthorisedDigest" ADD COLUMN "toBeSigned" TEXT;

-- AlterTable
ALTER TABLE "RepeatableSigning" ADD COLUMN "signingTime" DATETIME;

-- CreateTable
CREATE TABLE "DocumentJob" (
    "idHash" TEXT NOT NULL PRIMARY KEY,
    "request" BLOB,
    "result" BLOB,
    "expiresAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE INDEX "DocumentJob_expiresAt_idx" ON "DocumentJob"("expiresAt");
