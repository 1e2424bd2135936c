// The reports in a real browser: light, dark and on paper, without a network, and as a screen reader finds them.
// REPORTS names the folder with the pages; SCREENSHOT, when set, the file for the picture in the documentation.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const reports = process.env.REPORTS;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"],
  });
});
after(() => browser.close());

// open shows a page and remembers what went wrong with it, and what it asked the network for.
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1240, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (m) => trouble.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => trouble.push(`error: ${e.message}`));
  page.on("request", (r) => { if (!/^(file|data):/.test(r.url())) trouble.push(`request: ${r.url()}`); });
  page.on("requestfailed", (r) => trouble.push(`failed: ${r.url()}`));
  await page.goto(pathToFileURL(`${reports}/${name}`).href);
  return { page, trouble, close: () => context.close() };
}

// findings are axe's. The page's own policy forbids scripts, so axe is run beside it, by the browser itself.
async function findings(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join("; ")}`);
}

const pages = {
  "points.html": ["Releases"],
  "plan.html": ["Releases", "Changes"],
  "done.html": ["How every app stands", "Timeline", "Releases", "Changes"],
  "restored.html": ["What went wrong", "How every app stands", "Timeline", "Releases", "Changes"],
  "refused.html": ["Messages"],
  "hostile.html": ["How every app stands", "Timeline", "Changes"],
};

for (const [name, headings] of Object.entries(pages)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${name}, ${colorScheme}: nothing is missing, nothing goes wrong, everybody can read it`, async () => {
      const { page, trouble, close } = await open(name, { colorScheme });
      const shown = await page.locator("h2").allTextContents();
      for (const h of headings) assert.ok(shown.includes(h), `no heading "${h}" among ${shown}`);
      await page.locator("details").evaluateAll((all) => all.forEach((d) => { d.open = true; }));
      assert.deepEqual(await findings(page), []);
      assert.deepEqual(trouble, []);
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number).reduce((a, b) => a + b) / 3);
      assert.ok(colorScheme === "dark" ? ground < 60 : ground > 200, `the ground has the brightness ${ground}`);
      await close();
    });
  }

  test(`${name}: it fits a telephone and paper`, async () => {
    const { page, trouble, close } = await open(name, { viewport: { width: 360, height: 740 } });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, "the page scrolls sideways");
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(ground, "rgb(255, 255, 255)", "paper is white, also where the screen is dark");
    const pdf = await page.pdf({ format: "A4" });
    assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
    assert.deepEqual(trouble, []);
    await close();
  });
}

test("the matrix shows gaps, and an arrow for every repo that changes", async () => {
  const { page, close } = await open("plan.html");
  const rows = await page.locator("h2#changes + .scroll tbody tr").count();
  assert.ok(rows > 0);
  assert.equal(await page.locator("svg.matrix path.arrow").count(), rows);
  assert.ok(await page.locator("svg.matrix .gap_filled").count() > 0, "no gap");
  assert.ok(await page.locator("svg.matrix line.gap").count() > 0, "no line to a gap");
  assert.equal(await page.locator("svg.matrix rect.target").count(), 1);
  // Every arrow begins and ends inside the picture, and leads to the target's column.
  const target = await page.locator("svg.matrix rect.target").boundingBox();
  for (const arrow of await page.locator("svg.matrix path.arrow").all()) {
    const box = await arrow.boundingBox();
    assert.ok(box.x >= target.x && box.x <= target.x + target.width, "an arrow leads past the target");
  }
  // No text stands over another.
  const overlaps = await page.locator("svg.matrix .box").evaluateAll((boxes) => boxes.filter((b) => {
    const text = b.querySelector("text").getBBox(), rect = b.querySelector("rect").getBBox();
    return text.x < rect.x || text.x + text.width > rect.x + rect.width;
  }).map((b) => b.textContent));
  assert.deepEqual(overlaps, []);
  await close();
});

test("the timeline has a bar for every app, and shows what was put back", async () => {
  for (const [name, back] of [["done.html", false], ["restored.html", true]]) {
    const { page, close } = await open(name);
    const apps = await page.locator("h2#apps + .scroll tbody tr").count();
    assert.equal(await page.locator("svg.timeline rect.bar:not(.back)").count(), apps);
    assert.equal(await page.locator("svg.timeline rect.bar.back").count() > 0, back);
    await close();
  }
});

test("with the keyboard alone everything can be reached", async () => {
  const { page, close } = await open("done.html");
  const wanted = await page.locator("[tabindex='0'], summary, a[href]").count();
  const reached = new Set();
  for (let i = 0; i < wanted + 5; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => [...document.querySelectorAll("*")].indexOf(document.activeElement));
    if (at > 0) reached.add(at);
  }
  const hidden = await page.locator("details:not([open]) [tabindex='0']").count();
  assert.ok(reached.size >= wanted - hidden, `${reached.size} of ${wanted - hidden}`);
  await close();
});

test("what names and reasons hold is text", async () => {
  const { page, trouble, close } = await open("hostile.html");
  assert.equal(await page.locator("script, img, iframe").count(), 0);
  assert.ok((await page.textContent("body")).includes("<script>alert(1)</script>"));
  assert.deepEqual(trouble, []);
  await close();
});

if (process.env.SCREENSHOT) {
  test("the picture for the documentation", async () => {
    const { page, close } = await open("restored.html", { colorScheme: "light", viewport: { width: 1100, height: 1180 } });
    await page.screenshot({ path: process.env.SCREENSHOT });
    await close();
  });
}
