//! The recovery sheet: one page of HTML to be printed, black on white, with nothing that is loaded from elsewhere.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::KitError;
use super::file::Label;
use super::secret::RecoverySecret;
use crate::qr;

/// The page.
pub(super) fn page(label: &Label, secret: &RecoverySecret) -> Result<Zeroizing<String>, KitError> {
    let rows = secret.rows();
    let vault = label.vault.to_hex();
    // Room for all of it: no copy of a secret stays behind where the text grew.
    let mut page = Zeroizing::new(String::with_capacity(256 << 10));
    page.push_str(&HEAD.replace("KIT", &label.kit.to_string()));
    let fixed = [
        ("Vault", grouped(&vault)),
        ("Log", escaped(&label.origin)),
        ("Kit", format!("{}, made {}", label.kit, label.made)),
        ("Keys", label.keys.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>().join(", ")),
    ];
    page.push_str("<table>\n");
    for (name, value) in fixed {
        let _ = writeln!(page, "<tr><th>{name}</th><td>{value}</td></tr>");
    }
    page.push_str("</table>\n<div class=\"secret\">\n<ol>\n");
    for row in &rows {
        for piece in ["<li>", row, "</li>\n"] {
            page.push_str(piece);
        }
    }
    page.push_str("</ol>\n");
    page.push_str(&qr::svg(&secret.line(), "the same as a QR code").ok_or(KitError::Qr)?);
    page.push_str("</div>\n");
    page.push_str(&ADVICE.replace("KIT", &label.kit.to_string()));
    Ok(page)
}

/// A fingerprint in groups of eight digits, four a line, to be compared by eye.
fn grouped(hex: &str) -> String {
    let line = |line: &[u8]| line.chunks(8).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    hex.as_bytes().chunks(32).map(line).collect::<Vec<_>>().join("<br>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Recovery sheet</title>
<style>
@page { size: A4; margin: 18mm }
body { font: 11pt/1.4 sans-serif; color: #000; background: #fff; max-width: 174mm; margin: auto }
h1 { font-size: 20pt; margin: 0 0 2mm }
h2 { font-size: 12pt; margin: 5mm 0 1mm }
p, ol, ul { margin: 0 0 2mm; padding-left: 0 }
ul { padding-left: 5mm }
table { border-collapse: collapse; margin: 3mm 0 }
th { text-align: left; vertical-align: top; padding-right: 5mm }
td { font-family: monospace; overflow-wrap: anywhere }
.secret { display: flex; flex-wrap: wrap; gap: 6mm; align-items: center; border: 0.6mm solid #000; padding: 4mm; break-inside: avoid }
.secret ol { font: bold 15pt/1.9 monospace; margin: 0; padding-left: 2.5em; white-space: nowrap; flex: 1 }
.secret svg { width: 52mm; height: 52mm }
code { font-family: monospace; white-space: nowrap }
.command { padding-left: 5mm }
.command code { white-space: normal; overflow-wrap: anywhere }
@media screen { body { padding: 8mm } }
</style>
</head>
<body>
<h1>Recovery sheet</h1>
<p>One half of what opens this vault when its machine and its keys are lost. The other half is the file
<code>recovery-KIT.custos</code>. Either half alone opens nothing; both together open everything.</p>
"#;

const ADVICE: &str = r#"
<h2>Keep it</h2>
<ul>
<li>Print this page twice, put each copy into a sealed envelope, and have two trusted people keep them in two places.
Keep neither beside <code>recovery-KIT.custos</code> nor beside a backup.</li>
<li>Keep <code>recovery-KIT.custos</code> with every backup; <code>custos backup</code> takes it along. It may be copied
freely.</li>
<li>Then delete this page from the computer, and from the printer if it stores what it prints.</li>
</ul>
<h2>Check it, once, before real evidence comes in</h2>
<p class="command"><code>custos key check-recovery --file recovery-KIT.custos</code></p>
<p>It asks for the four rows from paper. O is read as 0; I and L as 1; small letters will do.</p>
<h2>Use it</h2>
<p>On a new machine with this program, to have the keys again:</p>
<p class="command"><code>custos key recover-keys --file recovery-KIT.custos --data-dir DIR</code></p>
<p>Then restore the database and the evidence, compare the fingerprint above, and run <code>custos doctor</code>.
docs/OPERATIONS.md, &ldquo;The recovery kit&rdquo;, has every step.</p>
<h2>When to make a new one</h2>
<p>After a key was added (<code>custos doctor</code> says so), and when an envelope was opened or is lost. An old sheet with
its file goes on opening what it opened: destroy both.</p>
</body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::OsEntropy;
    use crate::keyring::KeyList;
    use crate::qr::scanned;

    fn sheet(secret: &RecoverySecret) -> Zeroizing<String> {
        let label = Label {
            vault: "0123456789abcdef".repeat(4).parse().unwrap(),
            origin: "vault.example.org/custos/1".to_owned(),
            kit: 3,
            made: "2026-11-22T09:30:00.000Z".parse().unwrap(),
            keys: KeyList::parse(&format!("kek/1 {0}\nvault {0}", "ab".repeat(32))).unwrap(),
        };
        page(&label, secret).unwrap()
    }

    #[test]
    fn the_qr_code_says_what_the_rows_say() {
        for _ in 0..10 {
            let secret = RecoverySecret::make(&mut OsEntropy);
            let page = sheet(&secret);
            let read = scanned(&page);
            assert_eq!(read, *secret.line());
            assert_eq!(RecoverySecret::parse(&read).unwrap().expose(), secret.expose());
            for row in &secret.rows() {
                assert_eq!(page.matches(row.as_str()).count(), 1);
            }
        }
    }

    #[test]
    fn a_sheet_says_which_vault_and_kit_and_loads_nothing() {
        let page = sheet(&RecoverySecret::make(&mut OsEntropy));
        for said in [
            "01234567 89abcdef",
            "vault.example.org/custos/1",
            "3, made 2026-11-22",
            "kek/1, vault",
            "recovery-3.custos",
        ] {
            assert!(page.contains(said), "{said}");
        }
        assert!(!page.contains("KIT") && !page.contains("http://") && !page.contains("https://"));
        assert!(!page.contains("<script") && !page.contains("src="));
    }
}
