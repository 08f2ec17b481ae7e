# An exported classifier in Node and in a page: runs/exported is made by export.sh.
npm install --ignore-scripts --no-audit --no-fund --no-package-lock --prefix examples/browser
node examples/browser/answers.mjs runs/exported "The soup was cold."
cp -R runs/exported examples/browser/model
python3 -m http.server 8000 --bind 127.0.0.1 --directory examples/browser
