from tests.docs.commands import commands, run
from tests.docs.pages import EXAMPLES
import pytest, time
@pytest.mark.parametrize("n",["start.sh","own_data.sh","new_method.sh"])
def test_x(world, n):
    for words in commands(EXAMPLES/n):
        t=time.time()
        run(words)
        print("TIME", words, time.time()-t)
@pytest.mark.parametrize("n",["python_api.py","own_data.py"])
def test_y(world, n):
    t=time.time()
    run(["python", "examples/"+n])
    print("TIME", n, time.time()-t)
